"""What loads data, a file for each kind of source: a function with ``@loads`` that stands here is found by itself.

What a source takes is said in ``compiler.sources``.
"""
