"""What a call takes whose arguments are being typed, and which of them it is."""

from __future__ import annotations

from lsprotocol import types

from archonnx.lsp.context import Open, context_at
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.library import Signature

from .completion import signature_of


def signature_help(workspace: Workspace, document: Document, offset: int) -> types.SignatureHelp | None:
    """The signature of the innermost call around an offset."""
    context = context_at(document, offset)
    call = context.call
    if call is None or context.inside == "comment":
        return None
    signature = signature_of(workspace, document, document.scope_at(context.start), call.callee)
    if signature is None or not signature.groups:
        return None
    group = min(int(call.second), len(signature.groups) - 1)
    label, parameters = _laid_out(signature, group)
    return types.SignatureHelp(
        [types.SignatureInformation(label, _markdown(signature.doc), parameters)],
        active_signature=0,
        active_parameter=_active(signature, group, call),
    )


def _laid_out(signature: Signature, group: int) -> tuple[str, list[types.ParameterInformation]]:
    """The label, and where in it the parameters of a group are, in UTF-16 units: names are in any script."""
    label = signature.label
    at = len(f"{signature.kind} {signature.name}")
    parameters = []
    for number, one in enumerate(signature.groups):
        at += 1
        for taken in one:
            if number == group:
                place = (_units(label[:at]), _units(label[: at + len(taken.label)]))
                parameters.append(types.ParameterInformation(place, _markdown(taken.doc)))
            at += len(taken.label) + 2
        at += 1 - (2 if one else 0)
    return label, parameters


def _units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _active(signature: Signature, group: int, call: Open) -> int | None:
    names = [taken.name for taken in signature.groups[group]]
    if call.name is not None:
        return names.index(call.name) if call.name in names else None
    at = call.count + int(call.piped and len(signature.groups) == 1)
    return at if at < len(names) else None


def _markdown(text: str) -> types.MarkupContent | None:
    return types.MarkupContent(types.MarkupKind.Markdown, text) if text else None
