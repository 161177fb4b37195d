"""The systems of the zoo and what each shows: ``python -m benchmarks.catalogue`` writes docs/catalogue.md.

One module a row (``row_1_1.py`` holds row 1.1); a fact is a function that measures and judges. The tests run every fact
that is quick, so that a fact is a test as well.
"""
