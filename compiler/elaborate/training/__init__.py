"""``train`` and ``search`` blocks.

``programs`` elaborates the blocks that ``reading`` reads (``block`` is what they share); ``objectives`` and ``step``
build their statements as graphs; ``feeds`` makes the fields of the model of the columns of the data, ``deciding`` the
arguments of the model that these decide; ``starting`` reads ``start_from``, ``search`` a search.
"""
