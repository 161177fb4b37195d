"""The data of a train program, made ready: loaded, split, learned from, fed.

What this module does not do: batch (``data.batches`` does), or keep anything (``folders`` do).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as data_replace
from pathlib import Path
from typing import Any

import numpy as np

from archonnx.compiler.feeding import INDEX, Feeding
from archonnx.compiler.ir.types import Array
from archonnx.compiler.pipeline import feeding as elaborated_feeding
from archonnx.compiler.program import DATA, Field, ModelProgram, TrainProgram
from archonnx.compiler.settings import Split, TrainSettings
from archonnx.grammar.diagnostics import fail
from archonnx.grammar.record import replace
from archonnx.grammar.source import Span
from archonnx.runtime.data.alike import nearly_equal, seen_in_training
from archonnx.runtime.data.anew import Draws, Round, seed_of_round
from archonnx.runtime.data.batches import Examples
from archonnx.runtime.data.buckets import Bucketing
from archonnx.runtime.data.feeding import Fitted, Learner, check_rows, fed, learned, sample_of
from archonnx.runtime.data.loader import Loaded
from archonnx.runtime.data.memory import Memory, changes
from archonnx.runtime.data.parts import RULES, Indices, PartName, Parts
from archonnx.runtime.data.parts import check_rows as check_parts
from archonnx.runtime.data.ranges import Given, check_set
from archonnx.runtime.data.sharing_out import share_out
from archonnx.runtime.data.sources import load_given, load_source
from archonnx.runtime.data.streamed import Stream, as_batches

from .drawing import check_fresh, columns_read, joined, parts_of
from .joining import besides, check_parts_of_others, settings_of, shared_out
from .streaming import StreamedExamples, check_nothing_learned, placed
from .streaming import parts_of as parts_of_stream


@dataclass(frozen=True, slots=True)
class Prepared:
    """The data of a program, ready to be batched.

    Attributes:
        examples: the fields of the model.
        parts: which of them train.
        loaded: what they are made of.
        feeding: how.
        fitted: what was learned of the train part.
        note: how the parts were made, where people should know.
        others: the data of further sources, by their names.
    """

    examples: Examples
    parts: Parts
    loaded: Loaded
    feeding: Feeding
    fitted: Fitted
    note: str | None = None
    others: Mapping[str, Prepared] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """What people should know of it."""
        seen = seen_in_training(self.examples.by_row, self.parts) if isinstance(self.examples, Examples) else None
        own = [
            *self.loaded.notes,
            *nearly_equal(self.fitted, self.loaded),
            *(note for note in (self.note, seen) if note is not None),
        ]
        return [*own, *(f"{name}: {line}" for name, other in self.others.items() for line in other.notes())]

    def memory(self, program: TrainProgram, choice: DataChoice | None) -> Memory:
        """What a run remembers of it."""
        others = {
            source.name: self.others[source.name].memory(program.reading(source), choice) for source in program.others
        }
        replaced = choice.replaced(program) if choice is not None else None
        memory = Memory.of(self.loaded, self.feeding, self.fitted, together=bool(program.whole), replaced=replaced)
        return data_replace(memory, others=others, fields=tuple(self.feeding.feed.outputs))


@dataclass(frozen=True, slots=True)
class DataChoice:
    """What takes the place of the data that a spec names.

    Attributes:
        sources: a path, a frame, arrays by name, or what is loaded already, for a source by its name (``data``);
            nothing of them lies in the folder of the spec.
        changed: whether a run goes on although its data is not what it was.
        read: what was read by its means, which is not read again: what decides arguments of a model also trains it,
            and one file is that of all folds and seeds.
    """

    sources: Mapping[str, Any] = field(default_factory=dict)
    changed: bool = False
    read: dict[str, Loaded] = field(default_factory=dict, compare=False, repr=False)

    def given(self, program: TrainProgram) -> Any:
        """What takes the place of the data of a program with one source; None where it is that of the spec.

        What is given for ``data`` is meant for the first source, whatever its name.
        """
        first = self.sources.get(DATA) if not program.beside else None
        return self.sources.get(program.data, first)

    def replaced(self, program: TrainProgram) -> str | None:
        """What stands for it: a path, "" for what is in memory, None where it is that of the spec."""
        given = self.given(program)
        return None if given is None else str(given) if isinstance(given, str | Path) else ""


def load_data(
    model: str,
    program: TrainProgram,
    settings: TrainSettings,
    base: Path,
    choice: DataChoice | None = None,
    known: Memory | None = None,
) -> Loaded:
    """What the source of a program holds, which is not made of other sources; SpecError if it has none.

    Args:
        model: its name.
        program: whose data.
        settings: its settings.
        base: the folder in which data files are looked for.
        choice: what takes the place of that.
        known: what a run remembers of it.
    """
    choice = choice or DataChoice()
    given = choice.given(program)
    if as_batches(given) is not None:
        fail("AX0702", f"`{program.data}` comes in batches, and all of it is needed here", program.span)
    if program.source is None and given is not None:
        kinds, kept = (known.kinds, known.tokenizers) if known is not None else (None, None)
        return load_given(given, base, kinds, kept)
    if program.source is None:
        fail(
            "AX0615",
            f"the train program of {model} has no data",
            program.span,
            help='add a source, as in `data = sklearn("digits")`',
        )
    source = program.source
    how = _reading(known)
    if source.graph is not None:  # it draws, and is another one for another model
        return load_source(source, base, seed_of(settings.seed, program), given=given, **how)
    key = repr((source.kind, source.arguments, base, choice.replaced(program), how))
    if key not in choice.read:
        choice.read[key] = load_source(source, base, settings.seed, given=given, **how)
    return choice.read[key]


def _reading(known: Memory | None) -> dict[str, Any]:
    """How a source is read again of which a run remembers this."""
    if known is None:
        return {"kinds": None, "settled": None, "tokenizers": None}
    return {"kinds": known.kinds, "settled": known.settled, "tokenizers": known.tokenizers}


def seed_of(seed: int, program: TrainProgram, round_: Round = ()) -> int:
    """What data is drawn with: the run's seed, and the name of the source where there is another one, or a later draw.

    ``round_`` says which draw of a source that is drawn anew.
    """
    assert program.source is not None
    return seed_of_round(seed, program.source.name, round_) if program.beside or round_ else seed


def prepare(
    model: ModelProgram,
    program: TrainProgram,
    settings: TrainSettings,
    base: Path,
    parts: Parts | None = None,
    choice: DataChoice | None = None,
    known: Memory | None = None,
) -> Prepared:
    """Load, split and feed the data of a train program.

    Args:
        model: whose program.
        program: whose data.
        settings: its settings.
        base: the folder in which data files are looked for.
        parts: those that a run has kept; made anew if None.
        choice: what takes the place of the data that the spec names.
        known: what a run remembers: what was learned is not learned again, and the data must be what it was.
    """
    choice = choice or DataChoice()
    if program.others:
        return _Several(model, program, settings, base, choice, known).prepared(parts)
    asked = _One(model, program, settings, base, choice, known)
    batches = as_batches(choice.given(program))
    if batches is not None:
        return asked.streamed(Stream(program.data, batches, () if program.feeds else [*model.fields]))
    return asked.prepared(load_data(model.name, program, settings, base, choice, known), parts)


@dataclass(frozen=True, slots=True)
class _Asked:
    """Data about to be prepared: the arguments of ``prepare``."""

    model: ModelProgram
    program: TrainProgram
    settings: TrainSettings
    base: Path
    choice: DataChoice
    known: Memory | None


class _Several(_Asked):
    """That of a program with several sources: each as if it were alone, with the fields that it feeds."""

    __slots__ = ()

    def prepared(self, kept: Parts | None) -> Prepared:
        """All of them; ``kept`` are the parts of the first one."""
        model, program = self.model, self.program
        reading = {source.name: program.reading(source) for source in program.sources}
        batches = {name: found for name, of in reading.items() if (found := as_batches(self.choice.given(of)))}
        streams = {name: Stream(name, found, ()) for name, found in batches.items()}
        loaded = {name: stream.first for name, stream in streams.items()}
        loaded |= {
            name: load_data(model.name, of, self.settings, self.base, self.choice, self._remembered(name))
            for name, of in reading.items()
            if name not in loaded and not self._made_of_others(of)
        }
        fields = shared_out(model, program, {name: self._names(of, loaded) for name, of in reading.items()})
        made: dict[str, Prepared] = {}
        for name in _stores_first(program):
            of, part = reading[name], replace(model, fields={field: model.fields[field] for field in fields[name]})
            settings = settings_of(
                self.settings, part, of, loaded[name].fields if name in loaded else None, reading.keys()
            )
            one = _One(part, of, settings, self.base, self.choice, self._remembered(name))
            if name in streams:
                made[name] = one.streamed(streams[name])
            elif name in loaded:
                made[name] = one.prepared(loaded[name], kept if name == program.data else None)
            else:
                made[name] = one.drawn(made)
        others = {source.name: made[source.name] for source in program.others}
        feeding = {name: other for name, other in others.items() if fields[name]}
        first_of = made[program.data]
        check_parts_of_others(program, first_of.parts, {name: other.parts for name, other in feeding.items()})
        beside = [
            besides(reading[name], first_of.examples, other.examples, other.parts, self.settings)
            for name, other in feeding.items()
        ]
        return data_replace(first_of, examples=first_of.examples.with_others(beside), others=others)

    def _remembered(self, name: str) -> Memory | None:
        return self.known if self.known is None or name == self.program.data else self.known.others.get(name)

    def _made_of_others(self, of: TrainProgram) -> bool:
        assert of.source is not None
        return bool(of.source.reads) and self.choice.given(of) is None

    def _names(self, of: TrainProgram, loaded: Mapping[str, Loaded]) -> Collection[str]:
        """The names under which a source has something to feed."""
        if of.data in loaded:
            return sample_of(loaded[of.data], self.model.float_type).names
        assert of.source is not None and of.source.graph is not None
        return of.source.graph.outputs.keys()


def _stores_first(program: TrainProgram) -> list[str]:
    """The sources in an order in which each comes after those of which it is made."""
    reads = {source.name: {reading.source for reading in source.reads} for source in program.sources}
    found: list[str] = []
    while len(found) < len(reads):
        found += [name for name, needed in reads.items() if name not in found and needed <= {*found}]
    return found


class _One(_Asked):
    """That of a program with one source."""

    __slots__ = ()

    def prepared(self, loaded: Loaded, kept: Parts | None) -> Prepared:
        """Of data that is loaded; ``kept`` are the parts of an earlier time."""
        model, program = self.model, self.program
        note = self._changes(loaded)
        count = len(loaded.fields[INDEX])
        if kept is None:
            how = _by_its_own(self.settings.split, program)
            named = _named(model, program, how, loaded)
            kept, note = share_out(count, how, loaded, named, program.span, shuffle=self.settings.shuffle)
        else:
            check_parts(kept, count, program.span)
        return self._fed(loaded, kept, note, {})

    def drawn(self, made: Mapping[str, Prepared]) -> Prepared:
        """Of a source that is made of others, each part of it of that part of them."""
        assert self.program.source is not None
        for reading in self.program.source.reads:
            if isinstance(made[reading.source].examples, StreamedExamples):
                what = f"`{reading.source}` comes in batches, and `{self.program.data}` is made of all of it"
                fail("AX0702", what, self.program.source.span)
        pieces: dict[PartName, Loaded] = {}
        for part in parts_of(self.program.source, {name: of.parts for name, of in made.items()}):
            pieces[part] = self._draw(self._arrays(made, part))
        loaded, parts = joined(pieces)
        return self._fed(loaded, parts, self._changes(loaded), self._arrays(made, "train"))

    def streamed(self, stream: Stream) -> Prepared:
        """Of batches as they come: nothing is learned of them, and each is fed by itself."""
        model, program = self.model, self.program
        check_nothing_learned(program, bool(program.fits))
        known: dict[Hashable, Feeding] = {}

        def feeding_of(batch: Loaded) -> Feeding:
            form = tuple((name, batch.kinds[name], batch.column(name).shape[1:]) for name in sorted(batch.kinds))
            if form not in known:
                known[form], _ = _elaborated(model, program, batch, np.arange(len(batch.fields[INDEX])))
                check_nothing_learned(program, bool(known[form].statistics or known[form].encodings))
            return known[form]

        def feed(batch: Loaded) -> dict[str, Array]:
            with placed(batch):
                return fields_of(model, program, feeding_of(batch), Fitted(), batch)

        parts, first = parts_of_stream(stream, program, self.settings), stream.first
        note, feeding, fields = self._changes(first), feeding_of(first), feed(first)
        check_rows(feeding, Fitted(), first, model.fields, spans_of(program, model.fields))
        types = {name: model.fields[name].type for name in fields}
        return Prepared(StreamedExamples(stream, fields, types, feed), parts, first, feeding, Fitted(), note)

    def _arrays(self, made: Mapping[str, Prepared], part: PartName) -> dict[str, Array]:
        assert self.program.source is not None
        loaded = {name: (of.loaded, of.parts.of(part)) for name, of in made.items()}
        return columns_read(self.program.source, loaded)

    def _draw(self, arrays: Mapping[str, Array], round_: Round = ()) -> Loaded:
        """What the source draws; ``round_`` says which time."""
        assert self.program.source is not None
        seed = seed_of(self.settings.seed, self.program, round_)
        return load_source(self.program.source, self.base, seed, arrays=arrays, **_reading(self.known))

    def _changes(self, loaded: Loaded) -> str | None:
        """What is no longer as a run remembers it; SpecError unless that is accepted."""
        if self.known is None or loaded.checksum == self.known.checksum:
            return None
        return changes(loaded, self.known, accepted=self.choice.changed)

    def _fed(self, loaded: Loaded, parts: Parts, note: str | None, arrays: Mapping[str, Array]) -> Prepared:
        """The fields, in batches; ``arrays`` are those of other sources of which a later draw is made."""
        model, program, known, together = self.model, self.program, self.known, bool(self.program.whole)
        feeding, keys = _elaborated(model, program, loaded, parts.train, known)
        if known is not None and not known.together:
            fitted = known.fitted
        else:
            fitted = learned(feeding, loaded, keys, parts.train, together=together)
        fields = fields_of(model, program, feeding, fitted, loaded)
        if not together:
            check_rows(feeding, fitted, loaded, model.fields, spans_of(program, model.fields))
        types = {name: model.fields[name].type for name in fields}
        buckets, draws = self.settings.buckets, None
        if program.source is not None and program.source.fresh and self.choice.given(program) is None:
            check_fresh(program, self.settings)
            draws = Draws(lambda round_: fields_of(model, program, feeding, fitted, self._draw(arrays, round_)))
        bucketing = Bucketing(buckets, fields, types, program.span) if buckets is not None else None
        examples = Examples(fields, types, program.whole, bucketing, draws)
        return Prepared(examples, parts, loaded, feeding, fitted, note)


def _by_its_own(how: Split, program: TrainProgram) -> Split:
    """A split by fields of the source: they are `data.NAME` there, whatever the source is called."""
    named = {rule: by for rule in RULES if (by := getattr(how, rule)) is not None}
    own = {
        rule: f"{DATA}.{by.removeprefix(f'{program.data}.')}"
        for rule, by in named.items()
        if by.startswith(f"{program.data}.")
    }
    return how.model_copy(update=own) if own else how


def fields_of(
    model: ModelProgram, program: TrainProgram, feeding: Feeding, fitted: Fitted, loaded: Loaded
) -> dict[str, Array]:
    """All fields of the model; SpecError also where one that is an index names nothing."""
    fields = fed(feeding, fitted, loaded, model.fields, spans_of(program, model.fields))
    check_set(model, program, fields, given_by(program, loaded))
    return fields


def given_by(program: TrainProgram, loaded: Loaded, *, again: bool = False) -> Given:
    """What messages say of the data of a program, or of new data, ``again``."""

    def row(field: str, number: int) -> str:
        if field in program.whole:
            return f"row {number}"
        line = f"example {number}" if loaded.lines is None else f"line {loaded.lines[number]}"
        return f"{line} of {loaded.where}"

    def expression(field: str) -> str | None:
        feed = program.feeds.get(field)
        return f"{program.data}.{field}" if feed is None else feed.statement.value.span.text

    return Given(row, expression, again)


def spans_of(program: TrainProgram, fields: Mapping[str, Field]) -> dict[str, Span | None]:
    """Where the spec says how each field is fed."""
    return {
        name: program.feeds[name].statement.value.span if name in program.feeds else program.span for name in fields
    }


def _elaborated(
    model: ModelProgram, program: TrainProgram, loaded: Loaded, train: Indices, known: Memory | None = None
) -> tuple[Feeding, Learner]:
    keys = Learner(loaded, train, known.fitted.keys if known is not None else None)
    sample = sample_of(loaded, model.float_type, counted=bool(program.whole))
    return elaborated_feeding(model, program, sample, keys), keys


def _named(model: ModelProgram, program: TrainProgram, how: Split, loaded: Loaded) -> dict[str, Array]:
    """The fields of the model that a split goes by, as they are if all rows are learned from."""
    names = {name for name in (how.stratify, how.group, how.column) if name in model.fields}
    wanted = {name: field for name, field in model.fields.items() if name in names and name not in program.whole}
    if not wanted:
        return {}
    everything = np.arange(len(loaded.fields[INDEX]))
    feeding, keys = _elaborated(model, program, loaded, everything)
    fitted = learned(feeding, loaded, keys, everything, together=True)
    arrays = fed(feeding, fitted, loaded, wanted, spans_of(program, wanted))
    return {name: array.reshape(-1) if array.size == len(array) else array for name, array in arrays.items()}
