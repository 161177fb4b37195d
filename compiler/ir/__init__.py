"""The typed intermediate representation.

``dims``, ``facts`` and ``types``; ``value``, ``op`` and ``graph``; ``builder`` adds nodes, ``parts`` cuts and
inlines, ``bind`` fixes dims; ``text`` and ``parse`` are the text form, ``verify`` the promises, ``origin`` the way
back to the spec.
"""
