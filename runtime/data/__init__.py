"""Data: from the sources that specs name to batches, and the arrays that people hand to a model.

    sources         ``load_source``: the fields of a data source; one module a file format: csv, images, parquet
    batch           ``checked`` arrays by field; ``in_batches``; ``batch_symbol``, the dim that counts examples

Nothing here changes examples: feeds do, in the language.
"""
