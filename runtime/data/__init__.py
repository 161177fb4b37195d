"""Data: from the sources that specs name to batches, and the arrays that people hand to a model.

    sources   ``load_source``: what a data source holds
    loader    ``Loaded``; ``@loads`` makes a function the loader of a kind of source; the ``loaders`` are a folder
    tables    columns as ``Loaded``, with their matrix and target; ``cells`` reads columns of texts, ``columns`` others
    arrays    ``from_arrays``, ``from_frame``: what is in memory already
    pictures  ``read_pictures``: the same pixels in training and in prediction; ``boxes`` in them
    lengths   how many examples there are
    parts     ``split`` into ``Parts``: train, valid and test, as ``Indices``; ``groups`` that stay together, and
              ``overlaps`` of windows of a series
    feeding   what is learned of the train part, and fields of the model for any rows
    stored    .npy and .npz files; nothing that they claim is believed
    gathering columns of a table of texts, part by part
    room, progress
              whether what a file holds fits into memory, and how far its reading is
    values    which values are missing or mean nothing, and the place of each; ``casting`` keeps them what they are
    ranges    labels and ids that name something
    memory    ``Memory``: what a run remembers of its data
    tokenising
              texts as rows of tokens; ``subwords`` for tokenizers that are files
    batches   ``Examples``, which give batches; the order of an epoch; ``buckets`` of examples of like length
    batch     arrays ``checked`` against the types of fields; ``in_batches``

Nothing here says how examples are changed: feeds do, in the language.
"""
