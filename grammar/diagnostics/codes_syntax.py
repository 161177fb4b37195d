"""Codes 01xx: the text is not in the language. Each example gives its own code; a test reads them."""

from __future__ import annotations

from .catalogue import Code

CODES = (
    Code(
        "AX0101",
        "unexpected-token",
        "something stands where something else is expected",
        "Up to this place the text can be read, and nothing that starts as it does can go on this way. The message "
        "says what could have stood there.",
        "Look at the place and just before it: often an operator, a comma or a word of the statement is missing.",
        "fn twice(x: [...S]) -> [...S]:\n    return 2 x\n",
    ),
    Code(
        "AX0102",
        "unknown-character",
        "a character has no meaning in the language",
        "Outside of strings and comments only letters, digits, `_`, blanks, newlines and the signs of the operators "
        "have a meaning. Signs that look alike (typographic quotes, a multiplication cross) often come with copied "
        "text.",
        'Write the sign of the language instead; strings stand between `"`.',
        "fn twice(x: [...S]) -> [...S]:\n    return 2 × x\n",
    ),
    Code(
        "AX0103",
        "unterminated-string",
        "a string has no closing quote",
        "A string ends on the line where it begins. A docstring may have many lines and ends with three quotes.",
        'Close it. A quote inside a string is written `\\"`.',
        'train:\n    data = sklearn("digits)\n',
    ),
    Code(
        "AX0104",
        "unknown-escape",
        "a backslash in a string is followed by something that is not an escape",
        'In strings, `\\n`, `\\t`, `\\r`, `\\"`, `\\\\` and `\\u` with four hexadecimal digits stand for a character.',
        "Write a backslash itself as `\\\\`; paths are written with `/` on every system.",
        'train:\n    data = csv("data\\digits.csv")\n',
    ),
    Code(
        "AX0105",
        "tab-in-indentation",
        "a line is indented with a tab",
        "Indentation shows which statements belong together. Editors show tabs in different widths, so that a text "
        "with tabs could look different from what it means.",
        "Indent with spaces, four for each level. Most editors convert tabs for a whole file.",
        "fn twice(x: [...S]) -> [...S]:\n\treturn 2 * x\n",
    ),
    Code(
        "AX0106",
        "inconsistent-indentation",
        "a line is indented in a way that fits no body",
        "The statements of a body start in the same column, and only a line that ends with `:` opens a body. The first "
        "line of a file is not indented.",
        "Move the line to the column of the body it belongs to.",
        "fn f(x: [...S]) -> [...S]:\n    y = 2 * x\n      return y\n",
    ),
    Code(
        "AX0107",
        "missing-colon",
        "a line that opens a body does not end with `:`",
        "The first line of a declaration and of `for`, `if`, `scan` and the like ends with `:`; its body follows, "
        "indented.",
        "Add the `:`.",
        "fn twice(x: [...S]) -> [...S]\n    return 2 * x\n",
    ),
    Code(
        "AX0108",
        "missing-body",
        "a line that opens a body has none below it",
        "After `:` at the end of a line, at least one statement follows on lines of their own, indented further.",
        "Indent the statements that belong to the body, or remove the line that opens it.",
        "fn twice(x: [...S]) -> [...S]:\nreturn 2 * x\n",
    ),
    Code(
        "AX0109",
        "unclosed-bracket",
        "a bracket is opened and never closed",
        "Newlines inside brackets are free, so the end of the line does not close one. What follows was read as if it "
        "stood inside the brackets, until it could not.",
        "Close the bracket at its place.",
        "fn f(x: [...S]) -> [...S]:\n    y = tanh(2 * x\n    return y\n",
    ),
    Code(
        "AX0110",
        "unmatched-bracket",
        "a closing bracket has no opening one of its kind",
        "Brackets close in the opposite order in which they were opened, each by its own kind.",
        "Remove the bracket, or open it where it should begin.",
        "fn f(x: [...S]) -> [...S]:\n    return tanh(x]\n",
    ),
    Code(
        "AX0111",
        "foreign-word",
        "a word of another language",
        "Some words that are common elsewhere have another spelling here, or no counterpart, and cannot be used as "
        "names either, so that they are never read as something else.",
        "The help says what the language has in its place.",
        "def twice(x: [...S]) -> [...S]:\n    return 2 * x\n",
    ),
    Code(
        "AX0112",
        "reserved-word",
        "a word of the language is used as a name",
        "The words `if elif else for in and or not true false none return assert` are never names. All other words of "
        "statements (`input`, `loss`, `state` ...) are names wherever their statement does not stand.",
        "Choose another name.",
        "fn f(in: [...S]) -> [...S]:\n    return 2\n",
    ),
    Code(
        "AX0113",
        "equals-in-condition",
        "`=` stands where a comparison is meant",
        "`=` gives a name to a value and is no expression. Equality is asked with `==`.",
        "Write `==`.",
        "fn f(x: [...S], n: int) -> [...S]:\n    if n = 0:\n        return x\n    return 2 * x\n",
    ),
    Code(
        "AX0114",
        "chained-comparison",
        "a comparison follows a comparison",
        "`a < b < c` means different things in different languages, and on tensors it would hide an `and` of two of "
        "them.",
        "Write both comparisons: `a < b and b < c`.",
        "fn f(x: [...S]) -> [...S]:\n    return where(0 < x < 1, x, 0)\n",
    ),
    Code(
        "AX0115",
        "nesting-too-deep",
        "brackets, operators or bodies are nested too deep",
        "Reading a spec takes bounded time and memory, whatever it holds; so nesting has a limit, far beyond what "
        "people can read. A long chain of operators counts, too, since each of its steps holds the ones before.",
        "Give names to inner parts, or move them into a `fn` or `block`.",
        "fn f(x: [...S]) -> [...S]:\n    return " + "-" * 120 + "x\n",
    ),
    Code(
        "AX0116",
        "text-too-long",
        "a spec is longer than a mebibyte of characters",
        "A spec describes a model; its weights and data are files of their own.",
        "Read long tables with a data source, and split large libraries into several files.",
    ),
    Code(
        "AX0117",
        "not-assignable",
        "the left side of `=` is not a name",
        "An assignment names a value. Only names, and items of a named list such as `keys[j]`, can stand left of `=`; "
        "the fields of a module are set where the module is made, and parameters change with `update`.",
        "Assign to a name. Several results are unpacked without brackets: `a, b = f(x)`.",
        "fn f(x: [...S]) -> [...S]:\n    (a, b) = split(x, 2, axis=-1)\n    return a\n",
    ),
    Code(
        "AX0118",
        "number-too-large",
        "a number is larger than any value of its type",
        "Integers have at most 64 bits, floats those of float64. A larger literal would be rounded or infinite in "
        "silence.",
        "Write a float for a large integer, and `inf` for infinity.",
        "fn f(x: [...S]) -> [...S]:\n    return x + 1e999\n",
    ),
    Code(
        "AX0119",
        "unnamed-after-named",
        "an argument without a name follows one with a name",
        "Arguments without names go by their position, and come first.",
        "Name the argument, or move it before the named ones.",
        "fn f(x: [...S]) -> [...S]:\n    return sum(axis=-1, x)\n",
    ),
    Code(
        "AX0120",
        "repeated-key",
        "a key stands twice in a dict",
        "Each key of `{key: value}` has one value.",
        "Remove one of the two.",
        "train:\n    split = {train: 0.8, valid: 0.1, train: 0.1}\n",
    ),
    Code(
        "AX0121",
        "misplaced-docstring",
        "a docstring stands where no body of a declaration begins",
        'A text between `"""` documents a declaration, and is the first thing in its body.',
        'Write comments with `#`, and texts in values between single `"`.',
        'fn f(x: [...S]) -> [...S]:\n    y = 2 * x\n    """Doubled."""\n    return y\n',
    ),
    Code(
        "AX0122",
        "foreign-operator",
        "an operator of another language",
        "Some operators that are common elsewhere have another spelling here, or no counterpart.",
        "The help says what the language has in its place.",
        "fn f(x: [...S]) -> [...S]:\n    x += 1\n    return x\n",
    ),
    Code(
        "AX0123",
        "not-a-declaration",
        "a statement stands at the top of a file",
        "A file consists of declarations (`fn`, `block`, `model`, `train` ...), imports, and `for` around programs.",
        "Move the statement into the body of a declaration.",
        "x = 3\n",
    ),
    Code(
        "AX0124",
        "not-yaml",
        "the text cannot be read as YAML",
        "A file whose name ends with `.yaml` or `.yml` has to be YAML before it can be a spec.",
        "Most often a value needs quotes: plain values in YAML cannot contain `: ` or ` #`, nor start with one of "
        "``@ ` % & * ! | > [ { \" '``, and inside brackets they end at a comma.",
        "model: M\nlosses: {objective: cross_entropy: 3}\n",
        language="yaml",
    ),
    Code(
        "AX0125",
        "yaml-aliases",
        "aliases that point nowhere, or unfold to too much",
        "An alias (`*name`) repeats what its anchor (`&name`) marks. A few aliases of aliases can stand for more than "
        "any machine could hold, so the size of a file with its aliases unfolded is bounded.",
        "Put the anchor above its aliases, and write what repeats as a `block` or a `fn`.",
        "model: M\nblocks: *nowhere\n",
        language="yaml",
    ),
    Code(
        "AX0126",
        "yaml-feature",
        "a part of YAML that specs do not use",
        "Tags (`!!int`) would give types to values whose types the language knows; keys are words; and a file holds "
        "one document.",
        "Write the value without it.",
        "model: M\nargs: {width: !!int 3}\nbody: |\n  y = 1\n",
        language="yaml",
    ),
    Code(
        "AX0127",
        "unknown-key",
        "a key of a YAML spec that nothing reads",
        "Keys that nothing reads are refused: a misspelt one would silently change what the spec says.",
        "Use one of the keys listed.",
        "model: M\nlayer: [relu]\nbody: |\n  y = 1\n",
        language="yaml",
    ),
    Code(
        "AX0128",
        "yaml-form",
        "something else is needed at this place of a YAML spec",
        "Each section of a spec has its form: a mapping from names, a list of items, an expression, or a text. The "
        "message says which one is needed.",
        "See the page on YAML, or write the spec as a `.arch` file and let `archonnx convert` show the form.",
        "model: M\ninputs: 3\nbody: |\n  y = 1\n",
        language="yaml",
    ),
    Code(
        "AX0129",
        "layers-chain",
        "the chain of `layers` is broken",
        "Each item gets the value of the one above, the first one that of the only input. Where that is not meant, "
        "`from: NAME` says where to start, and `as: NAME` gives a value its name.",
        "Add `from` or `as` to the item.",
        "model: M\ninputs: {x: '[B, 4]'}\nlayers: [relu]\n",
        language="yaml",
    ),
)
