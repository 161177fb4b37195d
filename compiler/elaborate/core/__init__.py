"""What the rest of elaboration stands on.

``values`` says what an expression can be, ``kinds`` and ``signatures`` which arguments take what, ``static``,
``tensors`` and ``algebra`` compute with values; ``build``, ``place`` and ``frame`` say where code is evaluated;
``forms`` holds the open tables of meanings, ``control``, ``suites`` and ``dependence`` serve them; ``problems`` tells
where an op does not fit.
"""
