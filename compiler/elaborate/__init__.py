"""From the syntax tree to the IR: names, blocks, modules, parameters, static control flow.

Rooms, each of which imports only those above it: ``core`` (values, frames, open tables), ``meaning`` (what each form of
the language means), ``builtin`` (functions written in Python), ``model`` (a model, its entries and names), ``files``
(scopes: the library's, a spec's own, imported ones), ``training`` (``train`` and ``search`` blocks).
"""
