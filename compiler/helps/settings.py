"""Settings of ``train`` as other tools have them: under other names, in other forms, or said elsewhere here."""

from __future__ import annotations

import re
from collections.abc import Iterator

from archonnx.compiler.elaborate.files.library import library
from archonnx.grammar import ast
from archonnx.grammar.diagnostics import Edit, Suggestion, did_you_mean
from archonnx.grammar.foreign import called_here, idiom, said_elsewhere, section
from archonnx.grammar.source import Span

from .programs import declared
from .rewrites import text
from .sight import (
    Advice,
    Sight,
    indentation,
    inserted,
    proposes,
    replaced,
    statements,
    whole_line,
)

RATES = (
    "lr", "learning_rate", "rate", "alpha", "eta", "step_size", "base_lr", "lr_schedule", "lr_scheduler", "scheduler",
    "schedule", "learning_rate_schedule", "sched",
)  # fmt: skip
OPTIMIZERS = ("optimizer", "optimiser", "optim", "opt", "solver")
LOSSES = ("loss", "objective", "criterion", "loss_function", "loss_fn", "cost")
HELD_BACK = {
    "validation_split": "valid", "val_split": "valid", "valid_split": "valid", "validation": "valid", "valid": "valid",
    "validation_fraction": "valid", "test_size": "test", "test_split": "test", "test": "test",
}  # fmt: skip
"""Settings of other tools that say which share of the data is held back, and the part that this is."""
STOPPING = ("early_stopping", "callbacks", "callback", "patience", "early_stop")
MONITOR = re.compile(r"^(?:val|valid|validation|eval|test)[_./]?(\w*)$")


SETTINGS = ("AX0701", "AX0702", "AX0306", "AX0201")


def _setting(sight: Sight) -> tuple[ast.Assign, str, ast.Expr] | None:
    """The setting around the place, with its name and its value."""
    train, node = sight.innermost(ast.Train), sight.innermost(ast.Assign)
    if train is None or not isinstance(node, ast.Assign) or sight.yaml:
        return None
    if len(node.targets) != 1 or len(node.values) != 1 or not isinstance(node.targets[0], ast.Name):
        return None
    return node, node.targets[0].id, node.values[0]


def _minimized(sight: Sight) -> list[ast.Minimize]:
    train = sight.innermost(ast.Train)
    return [node for node in statements(train) if isinstance(node, ast.Minimize)] if train is not None else []


@proposes(*SETTINGS)
def _what_minimises(sight: Sight) -> Iterator[str]:
    """Optimizers, learning rates and losses that stand as settings: they belong to ``minimize``."""
    found = _setting(sight)
    if found is None:
        return
    node, name, value = found
    gone, said, losses = Edit(whole_line(node.span), ""), _minimized(sight), declared(sight, ast.Loss)
    if name in RATES:
        for one in said[:1]:
            yield Suggestion.at_places(f"the optimizer takes it: `lr={value.span.text}`", gone, _with_rate(one, value))
        yield f"the optimizer takes it: `minimize LOSS with adam(lr={value.span.text})`"
    elif name in OPTIMIZERS:
        words = [value.value] if isinstance(value, ast.String) else [text(value)]
        names = [*called_here(words[0]), words[0].lower()] if isinstance(value, ast.String) else words
        named = _named_loss(sight)
        for called in names if not said else ():
            if named is None:
                break
            line = f"minimize {named.values[0].span.text} with {called}"
            edits = (Edit(node.span, line), Edit(whole_line(named.span), ""))
            yield Suggestion.at_places(f"a loss is minimised by it: `{line}`", *edits)
        for called in names:
            if said:
                yield Suggestion.at_places(
                    f"`minimize` names it: `with {called}`", gone, Edit(said[0].optimizer.span, called)
                )
            elif losses:
                line = f"minimize {losses[-1]} with {called}"
                yield Suggestion.of(f"a loss is minimised by it: `{line}`", "", line, node.span)
        yield f"`minimize` names it: `minimize LOSS with {names[-1]}`"
    elif name in LOSSES:
        if said:
            yield Suggestion.at_places("`minimize` says it: leave this out", gone)
        if value.span.text in losses:
            yield f"`minimize {value.span.text} with adam()` makes it small"
        yield "the model declares it, `loss NAME = VALUE`, and `minimize NAME with adam()` makes it small"


def _named_loss(sight: Sight) -> ast.Assign | None:
    """The setting that names the loss, as other tools have it, if it names one of the model's."""
    train, losses = sight.innermost(ast.Train), declared(sight, ast.Loss)
    found = [node for node in statements(train) if isinstance(node, ast.Assign)] if train is not None else []
    return next((n for n in found if n.targets[0].span.text in LOSSES and n.values[0].span.text in losses), None)


def _with_rate(minimize: ast.Minimize, value: ast.Expr) -> Edit:
    """The optimizer with a rate, in place of its own if it has one."""
    call, given = minimize.optimizer, f"lr={value.span.text}"
    if not isinstance(call, ast.Call):
        return inserted(call.span, call.span.end, f"({given})")
    own = next((a for i, a in enumerate(call.arguments) if a.name == "lr" or (i == 0 and a.name is None)), None)
    if own is not None:
        return Edit(own.span, given)
    return inserted(call.span, call.span.end - 1, f", {given}" if call.arguments else given)


@proposes(*SETTINGS)
def _parts(sight: Sight) -> Iterator[str]:
    """Shares of the data as other tools take them."""
    found = _setting(sight)
    if found is None:
        return
    node, name, value = found
    if name in HELD_BACK and isinstance(value, ast.Number):
        line = f"split = {_split((1 - value.value, value.value), ('train', HELD_BACK[name]))}"
        yield Suggestion.of(f"`split` names every part: `{line}`", "", line, node.span)
    elif name == "split":
        items = value.items if isinstance(value, ast.List | ast.Tuple) else (value,)
        shares = [item.value for item in items if isinstance(item, ast.Number)]
        if len(shares) != len(items) or not 0 < len(shares) <= 3:
            shares = []
        if len(shares) == 1:
            shares = [max(shares[0], 1 - shares[0]), min(shares[0], 1 - shares[0])]
        for others in (("test",), ("valid", "test")):
            if len(others) == len(shares) - 1:
                made = _split(tuple(shares), ("train", *others))
                yield Suggestion.of(f"each part has a name: `{made}`", "", made, value.span)
        if isinstance(value, ast.Dict) and not any(key.value == "train" for key, _ in value.items):
            held = [share.value for key, share in value.items if isinstance(share, ast.Number) and key.value != "seed"]
            rest = f"{{train: {_share(1 - sum(held))}, "
            words = "what trains is said too"
            yield Suggestion.of(
                f"{words}: `{rest}...}}`", "", rest, Span(value.span.source, value.span.start, value.span.start + 1)
            )


@proposes("AX0702")
def _parts_in_yaml(sight: Sight) -> Iterator[str]:
    """``split: [0.7, 0.1, 0.2]``."""
    text = sight.span.text
    if not sight.yaml or not re.fullmatch(r"\[\s*[\d.]+(?:\s*,\s*[\d.]+){1,2}\s*\]", text):
        return
    shares = tuple(float(one) for one in re.findall(r"\d*\.?\d+", text))
    if "`split`" in sight.diagnostic.headline and len(shares) in (2, 3):
        made = _split(shares, ("train", *("valid", "test")[3 - len(shares) :]))
        yield Suggestion.of(f"each part has a name: `{made}`", "", made, sight.span)


@proposes("AX0702")
def _watched(sight: Sight) -> Iterator[str]:
    """``early_stopping = valid.objective``."""
    figure = re.fullmatch(r"\"?((?:train|valid)\.\w+)\"?", sight.span.text)
    if figure is not None and sight.diagnostic.headline.startswith("`early_stopping`: a dictionary"):
        made = f"{{monitor: {figure[1]}}}"
        yield Suggestion.of(f"what is watched has a name: `{made}`", "", made, sight.span)


def _split(shares: tuple[float, ...], names: tuple[str, ...]) -> str:
    return f"{{{', '.join(f'{name}: {_share(share)}' for name, share in zip(names, shares, strict=True))}}}"


def _share(share: float) -> str:
    return f"{share:.6g}"


_PAIR = re.compile(r"(\w+)[ ]*:[ ]*([\d.]+)[ ]*$")


@proposes("AX0701")
def _held_back_in_yaml(sight: Sight) -> Iterator[str]:
    """``validation_split: 0.15``."""
    match = _PAIR.match(whole_line(sight.span).text.strip()) if sight.yaml else None
    if match is not None and match[1] == sight.span.text and match[1] in HELD_BACK and 0 < float(match[2]) < 1:
        share = float(match[2])
        written = f"split: {_split((1 - share, share), ('train', HELD_BACK[match[1]]))}"
        line = whole_line(sight.span)
        start = line.start + len(indentation(sight.span))
        place = Span(line.source, start, start + len(match[0]))
        yield Suggestion.of(f"`split` names every part: `{written}`", "", written, place)


@proposes("AX0702")
def _rest_of_the_shares(sight: Sight) -> Iterator[str]:
    """Shares that do not sum to 1: what is left trains, or tests."""
    found = _setting(sight)
    if found is None or found[1] != "split" or "sum to" not in sight.diagnostic.headline:
        return
    value = found[2]
    items = value.items if isinstance(value, ast.Dict) else ()
    shares = {key.value: share for key, share in items if isinstance(share, ast.Number)}
    left = 1 - sum(share.value for name, share in shares.items() if name in ("train", "valid", "test"))
    own = shares.get("train")
    first: Suggestion | None = None
    if own is not None and own.value + left > 0:
        first = replaced("what is left trains", own, _share(own.value + left))
    if left > 0 and "test" not in shares and isinstance(value, ast.Dict):
        added = inserted(value.span, value.span.end - 1, f", test: {_share(left)}")
        other = Suggestion.at_places(f"or it is a part of its own: `test: {_share(left)}`", added)
        first = first.or_else(None, other, several=True) if first is not None else other
    if first is not None:
        yield first


@proposes("AX0701")
def _order_of_parts(sight: Sight) -> Iterator[str]:
    """``split = {..., shuffle: false}``, ``random_state: 1``."""
    found = _setting(sight)
    value = found[2] if found is not None else None
    for key, item in value.items if isinstance(value, ast.Dict) else ():
        if key.span == sight.span and key.value == "shuffle":
            way = "order" if item.span.text.lower() == "false" else "random"
            place = Span(key.span.source, key.span.start, item.span.end)
            yield Suggestion.of(f"a rule says it: `by: {way}`", "", f"by: {way}", place)
        elif key.span == sight.span:
            for name in called_here(key.value):
                yield replaced(f"it is called `{name}`", key, name)


@proposes(*SETTINGS)
def _stopping(sight: Sight) -> Iterator[str]:
    """Early stopping as a number, as a call, or among callbacks."""
    found = _setting(sight)
    if found is None or found[1] not in STOPPING:
        return
    node, name, value = found
    calls = [value] if isinstance(value, ast.Call) else list(getattr(value, "items", ()))
    given = {a.name: a.value for call in calls if isinstance(call, ast.Call) for a in call.arguments}
    if isinstance(value, ast.Dict):
        return
    patience = given.get("patience", value)
    count = patience.span.text if isinstance(patience, ast.Number) else "5"
    losses = declared(sight, ast.Loss)
    if losses and (given or name != "callbacks"):
        line = f"early_stopping = {{monitor: valid.{losses[-1]}, patience: {count}}}"
        yield Suggestion.of(f"write `{line}`", "", line, node.span)
        yield f"`{line}` stops early; it looks at the part of `split = {{train: 0.8, valid: 0.2}}`"


@proposes("AX0702")
def _monitor(sight: Sight) -> Iterator[str]:
    """``monitor: val_loss``."""
    word = sight.span.text.strip("\"'")
    match = MONITOR.match(word)
    if match is None:
        return
    losses = declared(sight, ast.Loss)
    names = [*losses, *declared(sight, ast.Metric)]
    name = match[1]
    meant = [one for one in names if one == name or one in called_here(name) or (name and one.startswith(name))]
    for one in [*meant, *(losses if name in ("", "loss") and not meant else [])]:
        yield Suggestion.of(f"a part and what is measured on it: `valid.{one}`", "", f"valid.{one}", sight.span)


SHRINKING = {"adam": "adamw", "adamw": "adamw", "sgd": "sgd", "lion": "lion"}
"""Optimizers, and what each is called where it shrinks the weights too."""


@proposes("AX0701")
def _penalties(sight: Sight) -> Iterator[str]:
    """``weight_decay = 0.01`` as a setting: the optimizer takes it, or the loss has it."""
    found = _setting(sight)
    say = section("penalties").get(found[1] if found is not None else sight.span.text)
    if say is None:
        return
    for one in _minimized(sight)[:1] if found is not None and "weight_decay" in say else ():
        own = one.optimizer.callee if isinstance(one.optimizer, ast.Call) else one.optimizer
        other = SHRINKING.get(own.span.text)
        if other is not None and found is not None:
            given = f"weight_decay={found[2].span.text}"
            edits = [Edit(whole_line(found[0].span), "")] + ([Edit(own.span, other)] if other != own.span.text else [])
            if isinstance(one.optimizer, ast.Call):
                place = one.optimizer.span
                edits.append(inserted(place, place.end - 1, f", {given}" if one.optimizer.arguments else given))
            else:
                edits = [edits[0], Edit(own.span, f"{other}({given})")]
            yield Suggestion.at_places(f"the optimizer takes it: `{other}({given})`", *edits)
    yield Advice(say)


@proposes("AX0701")
def _said_elsewhere(sight: Sight) -> Iterator[str]:
    """What is no setting here: by which option, statement or transformation it is said."""
    found = _setting(sight)
    say = said_elsewhere().get(found[1] if found is not None else sight.span.text)
    if say is not None:
        yield Advice(say)


IN_YAML = ("data", "sources", "fit", "feed", "feed_whole", "steps", "body", "arguments")
"""What a program has beside its settings, as YAML spells it."""


@proposes("AX0701")
def _keys_in_yaml(sight: Sight) -> Iterator[str]:
    """``feeds: {...}``, and ``optimizer: adam`` beside the steps: keys of YAML that are no settings."""
    if not sight.yaml:
        return
    word = sight.span.text
    near = did_you_mean(word, IN_YAML)
    if near is not None:
        yield Suggestion.of(f"did you mean `{near.replacement}`?", "", near.replacement, sight.span)
    elif word in (*OPTIMIZERS, *RATES, *LOSSES):
        if _STEPS.search(sight.span.source.text):
            yield Advice("a step names it: `steps: [{minimize: LOSS, with: adam(lr=1e-3)}]`")
    elif (say := idiom(word)) is not None:
        yield Advice(say)


@proposes("AX0701")
def _elsewhere(sight: Sight) -> Iterator[str]:
    """Settings that are said when a training runs, or by nobody."""
    found = _setting(sight)
    say = idiom(found[1]) if found is not None else None
    if found is not None and say is not None:
        yield Suggestion.of(say, "", "", whole_line(found[0].span), otherwise=say)


_STEPS = re.compile(r"^[ ]+steps[ ]*:", re.MULTILINE)
_STEP = re.compile(r"^[ ]+(minimize|with|optimizer|loss|lr|learning_rate)[ ]*:[ ]*(\S.*?)[ ]*$\n?", re.MULTILINE)
_WORDS = re.compile(r"\d[\d.]*(?:e[-+]?\d+)?|[\w.]+")


@proposes("AX0701", "AX0306")
def _steps_in_yaml(sight: Sight) -> Iterator[str]:
    """``optimizer: adam`` and ``loss: l`` beside each other, which are one step."""
    source = sight.span.source
    if not sight.yaml or _STEPS.search(source.text):
        return
    start = source.text.find("\ntrain:")
    found = {match[1]: match for match in _STEP.finditer(source.text, max(start, 0)) if start >= 0}
    losses = declared(sight, ast.Loss)
    if not found or not losses or not any(match.start() <= sight.span.start < match.end() for match in found.values()):
        return
    said = next((found[key][2].strip("\"'") for key in ("minimize", "loss") if key in found), losses[-1])
    loss = said if said in losses else losses[-1]
    rate = next((found[key][2] for key in ("lr", "learning_rate") if key in found), None)
    optimizer = next((found[key][2] for key in ("with", "optimizer") if key in found), "adam")
    called = _called_optimizer(optimizer, rate)
    line = f"steps: [{{minimize: {loss}, with: {called}}}]"
    first, *others = found.values()
    own = Edit(Span(source, first.start() + len(first[0]) - len(first[0].lstrip()), first.end(2)), line)
    gone = [Edit(Span(source, match.start(), match.end()), "") for match in others]
    yield Suggestion.at_places(f"what is minimised, and how, is a step: `{line}`", own, *gone)


def _called_optimizer(written: str, rate: str | None) -> str:
    """``{adam: {lr: 1e-3}}``, ``{type: adam, lr: 1e-3}`` or ``adam`` as a call."""
    if "(" in written:
        return written if "," not in written or written[:1] in "\"'" else f'"{written}"'
    words = [word for word in _WORDS.findall(written) if word not in ("type", "name", "class_name", "config")]
    name = next(iter(called_here(words[0])), words[0].lower()) if words else "adam"
    pairs = list(zip(words[1::2], words[2::2], strict=False)) + ([("lr", rate)] if rate is not None else [])
    given = ", ".join(f"{_parameter(name, key)}={value}" for key, value in pairs)
    return f'"{name}({given})"' if "," in given else f"{name}({given})"


def _parameter(optimizer: str, word: str) -> str:
    """What a parameter of an optimizer of the library is called, by its own name or by that of another tool."""
    declaration = getattr(library().find(optimizer), "declaration", None)
    taken = {parameter.name for parameter in getattr(declaration, "hyperparameters", ())}
    return word if word in taken else next((one for one in called_here(word, "arguments") if one in taken), word)


@proposes("AX0306")
def _optimizer_in_yaml(sight: Sight) -> Iterator[str]:
    """``with: {adam: {lr: 2e-4, beta1: 0.5}}``."""
    if sight.yaml and "takes an optimizer, not a dict" in sight.diagnostic.headline:
        written = _called_optimizer(sight.span.text, None)
        yield Suggestion.of(f"an optimizer is called: `{written}`", "", written, sight.span)


@proposes("AX0818", "AX0822", "AX0823", "AX0819")
def _setting_of_the_help(sight: Sight) -> Iterator[str]:
    """The setting that the help shows, in place of the one that is there or before the line of the place."""
    shown = re.search(r"`(?:(\w+) = )?(\{.*?\}|\d+|mode: max)`", str(sight.diagnostic.help))
    train = sight.innermost(ast.Train)
    if shown is None or not isinstance(train, ast.Train) or sight.yaml:
        return
    words, name, value = str(sight.diagnostic.help), shown[1], shown[2]
    if name is None:
        whole = value if value.startswith("{") else value.partition(": ")[2]
        yield Suggestion.of(words, "", whole, sight.span, otherwise=words)
        return
    own = next((one for one in train.body if isinstance(one, ast.Assign) and one.targets[0].span.text == name), None)
    if own is not None:
        yield Suggestion.of(words, "", value, own.values[0].span, otherwise=words)
    else:
        line = whole_line((sight.innermost(ast.Assign) or train).span)
        added = f"{indentation(line)}{name} = {value}\n"
        yield Suggestion.of(words, "", added, Span(line.source, line.start, line.start), otherwise=words)
