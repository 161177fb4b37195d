"""From the tree of a spec to YAML.

    layout     nested values as text: what stands on one line, what in quotes
    parts      expressions, signatures and chains of layers as values
    programs   ``train`` and ``search`` blocks as values
    files      a whole spec

A module imports those above it.
"""
