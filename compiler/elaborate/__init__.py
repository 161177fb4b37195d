"""From the syntax tree to the IR: names, blocks, modules, parameters, static control flow.

``values`` says what an expression can be while a spec is elaborated, ``frame`` where it is evaluated; ``expressions``,
``calls`` and ``statements`` do it; ``builtins`` are the functions of the language that are not written in it;
``model`` and ``programs`` put a model and its ``train`` blocks together.
"""
