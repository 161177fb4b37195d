"""Mutated data files: ``train``, ``predict`` and ``eval`` read each as it is meant, or refuse it where it is wrong.

    people.py      the table, its spec, and what its fields must be, in NumPy alone
    cases.py       what a mutation is, and what is expected of it
    columns.py     CSV files: columns, their order and their names
    cells.py       CSV files: values and their spellings
    writing.py     CSV files: how they are written, and what makes no table
    typed.py       Parquet files, .npz files and arrays by name
    pictures.py    folders of pictures
    examine.py     a case is done, and what happened compared with what was expected

``python -m benchmarks.mutated_data`` (``make proof``) does all and writes docs/mutated_data.md; a test does some.
"""
