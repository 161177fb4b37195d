"""From the text of a spec to its tree, and from a syntax error to a message in plain words.

    archonnx.lark   the grammar; archonnx.tables are the tables of its parser, made by parser_tables
    words           the words of the language, and words and signs of other languages
    characters      those that make a text look like another one
    literals        the values of numbers, strings and docstrings
    machine         the lexer and the parser, driven by tables
    indentation     newlines and indentation as tokens
    expressions     the nodes of expressions, bottom up: a function for each rule of the grammar
    types           the types of declarations; ``targets`` what stands left of ``=``
    trees           the same for statements and declarations
    failure         the place at which the parser stopped
    mistakes        what was probably meant there; ``brought`` and ``reshaped`` for those who come from another language
    outline         where declarations are, without parsing
    recovery        how reading goes on after a mistake
    parser          the front door: parse, and the same for parts of a text

A module imports those above it.
"""
