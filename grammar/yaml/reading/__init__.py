"""From YAML to the tree of a spec.

    nodes        the text as scalars, sequences and mappings with their places
    scalars      the expressions, types and bodies that scalars hold, in the language
    sections     mappings with known keys; mistakes are collected
    signatures   arguments, inputs and results
    layers       the chain of ``layers:``
    statements   sections of statements of one line: inputs, parameters, outputs
    programs     ``train:`` and ``search:``
    reshaped     YAML in another form than that of a spec, as edits; ``lines`` that are not YAML as it is meant
    refused      what is said of text that is not YAML
    files        a whole spec; the module docstring says which forms there are

A module imports those above it.
"""
