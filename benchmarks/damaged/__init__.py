"""Damaged data, weights, runs and arguments: the command line answers right, or says what is wrong.

    cases.py       what a case is, and how one is drawn by its number
    setting.py     the runs that are asked, and the intact files that are damaged
    harm.py        what is done to any file: cut, bits flipped, replaced by a folder, a pipe or a link
    arrays.py      .npy and .npz files
    tables.py      CSV, Parquet and JSON lines
    pictures.py    pictures, and folders of them
    weights.py     .safetensors files, and run directories
    typed.py       what is typed behind each verb
    examine.py     a case is done in this process, and what happened is judged

``python -m benchmarks.damaged`` (``make proof``) does 5,000 cases and writes docs/damaged.md; a test does a few.
"""
