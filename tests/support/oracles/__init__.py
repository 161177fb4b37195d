"""The library again in NumPy, in float64 and written for clarity: what tests and the catalogue compare it with.

It stands in ``tests/support`` since both reach it there by one rule: tests and benchmarks import ``tests.support``, and
``tests.support`` imports neither of them.
"""
