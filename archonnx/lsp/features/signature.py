"""What a call takes whose arguments are being typed, and which of them it is."""

from __future__ import annotations

from lsprotocol import types

from archonnx.lsp.calls import argument_of, signature_of
from archonnx.lsp.context import context_at
from archonnx.lsp.document import Document, Workspace
from archonnx.lsp.library import Signature


def signature_help(workspace: Workspace, document: Document, offset: int) -> types.SignatureHelp | None:
    """The signature of the innermost call around an offset."""
    context = context_at(document, offset)
    call = context.call
    if call is None or context.inside == "comment":
        return None
    scope = document.scope_at(context.start)
    signature = signature_of(workspace, document, scope, call.callee)
    if signature is None or not signature.groups:
        return None
    group = min(int(call.second), len(signature.groups) - 1)
    label, parameters = _laid_out(signature, group)
    active = argument_of(workspace, document, scope, call)
    return types.SignatureHelp(
        [types.SignatureInformation(label, _markdown(signature.doc), parameters)],
        active_signature=0,
        active_parameter=signature.groups[group].index(active) if active is not None else None,
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


def _markdown(text: str) -> types.MarkupContent | None:
    return types.MarkupContent(types.MarkupKind.Markdown, text) if text else None
