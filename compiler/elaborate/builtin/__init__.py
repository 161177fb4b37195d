"""The functions of the language that are written in Python.

``table`` has all of them, ``calling`` calls them; ``tensors``, ``reductions``, ``images``, ``indices`` and
``modules`` hold them, and ``einops`` reads axes by name.
"""
