# Everything a contributor needs. `make` alone lists the targets.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed

.PHONY: help setup check format test proof bench docs tables clean

help:  ## list the targets
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

setup: $(STAMP)  ## make .venv and install archonnx into it, editable, with the developers' tools

$(STAMP): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install -q -e '.[dev]'
	touch $(STAMP)

check: setup types  ## ruff and mypy --strict
	$(BIN)/ruff check .
	MYPYPATH=.types $(BIN)/mypy --strict -p archonnx -p benchmarks

types:  # mypy sees no import hooks: a tree of links that looks like the installed package
	@rm -rf .types && mkdir -p .types/archonnx
	@ln -s ../../archonnx/* .types/archonnx/
	@for part in grammar compiler runtime specs; do ln -s ../../$$part .types/archonnx/$$part; done

test: setup  ## the tests, in parallel (a few minutes)
	$(BIN)/pytest -n auto -m 'not proof'

proof: setup  ## the long searches (convergence over seeds, parity, fuzz); writes docs/proof.md
	$(BIN)/python -m benchmarks.proof

bench: setup  ## speed beside the peers, in one run; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks

tables: setup  ## the parser's tables, from the grammar
	$(BIN)/python -m archonnx.grammar.tables

docs: setup tables  ## the generated pages of docs/
	$(BIN)/python -m archonnx.grammar.catalogue docs/diagnostics.md

clean:  ## remove what was built, and the virtual environment
	rm -rf .venv .types build dist *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis
