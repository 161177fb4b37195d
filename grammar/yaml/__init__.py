"""The YAML spelling of specs: ``reading`` gives the tree that the same spec has as text, ``writing`` writes it."""

from .reading.files import parse_yaml
from .writing.files import to_yaml

__all__ = ["parse_yaml", "to_yaml"]
