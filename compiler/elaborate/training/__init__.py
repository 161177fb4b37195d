"""``train`` and ``search`` blocks.

``programs`` elaborates the blocks that ``reading`` reads (``block`` is what they share); ``objectives`` and ``step``
build their statements as graphs, ``feeds`` maps the fields of data to those of the model; ``search`` reads a search.
"""
