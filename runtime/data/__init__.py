"""Data: from the sources that specs name to batches, and the arrays that people hand to a model.

    sources   ``load_source``: what a data source holds
    loader    ``@loads`` makes a function the loader of a kind of source; the ``loaders`` are a folder, a file each
    parts     ``split`` into ``Parts``: train, valid and test, as ``Indices``
    batches   ``Examples``, which give batches; the order of an epoch
    plain     loaded data as plain numbers, for feeds that know no others
    batch     arrays ``checked`` against the types of fields; ``in_batches``; ``batch_symbol``, the dim of examples

Nothing here changes examples: feeds do, in the language.
"""
