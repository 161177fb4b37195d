"""How something is called that a spec names, and which of its arguments stands at a place."""

from __future__ import annotations

from .context import Open
from .document import Document, Workspace
from .library import Signature, Taken, library_signature, source_signature
from .names import Scope, Symbol


def signature_of(workspace: Workspace, document: Document, scope: Scope, callee: str) -> Signature | None:
    """How something is called that stands in a scope under this name; a data source, in a program."""
    name = callee.rpartition(".")[2]
    program = next((one for one in scope.around() if one.kind in ("train", "search")), None)
    for one in scope.around():
        symbol = one.bound.get(callee)
        if symbol is not None:
            signature = workspace.signature(document, symbol)
            if signature is not None:
                return signature
            if (made := _made_by(workspace, document, symbol)) is not None:
                return made
    if program is not None and (source := source_signature(callee)) is not None:
        return source
    return library_signature(name)


def arguments_of(workspace: Workspace, document: Document, scope: Scope, call: Open) -> tuple[Taken, ...]:
    """What may stand in the brackets of a call: of a block, in the first or the second."""
    signature = signature_of(workspace, document, scope, call.callee)
    groups = signature.groups if signature is not None else ()
    return groups[min(int(call.second), len(groups) - 1)] if groups else ()


def argument_of(workspace: Workspace, document: Document, scope: Scope, call: Open) -> Taken | None:
    """The argument of a call that is being typed; what comes by a pipe is the first of a fn."""
    signature = signature_of(workspace, document, scope, call.callee)
    group = arguments_of(workspace, document, scope, call)
    if call.name is not None:
        return next((taken for taken in group if taken.name == call.name), None)
    at = call.count + int(call.piped and signature is not None and len(signature.groups) == 1)
    return group[at] if at < len(group) else None


def _made_by(workspace: Workspace, document: Document, symbol: Symbol) -> Signature | None:
    """What a module takes that a name stands for: the inputs of its block."""
    for one in document.names.of(symbol)[:4]:
        for seen in document.values_of(one):
            if seen.owner:
                own = document.names.file.bound.get(seen.owner)
                block = workspace.signature(document, own) if own is not None else library_signature(seen.owner)
                if block is not None and len(block.groups) == 2:
                    return Signature(symbol.name, "module", block.groups[1:], block.result, block.doc, block.place)
    return None
