"""The systems of the zoo and what each shows: ``python -m benchmarks.catalogue`` writes docs/catalogue.md.

``rows/`` has one module a row, named by its subject; a fact is a function that measures and judges. The tests run every
fact that is quick, so that a fact is a test as well. ``python -m benchmarks.catalogue losses`` measures one row, and so
does ``python -m benchmarks.catalogue 1.5``, by its number.
"""
