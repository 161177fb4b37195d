"""Pictures of models and of runs: drawings, charts, pages.

``outline`` says what a drawing shows, ``grouping`` which nodes of a graph become one item of it, ``folding`` finds what
repeats itself, ``layout`` asks Graphviz where things stand, and ``svg`` writes it.
"""
