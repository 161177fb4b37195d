"""The YAML spelling of specs: ``parse_yaml`` gives the tree that the same spec has as text, ``to_yaml`` writes it."""

from .reading import parse_yaml
from .writing import to_yaml

__all__ = ["parse_yaml", "to_yaml"]
