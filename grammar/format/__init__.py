"""The canonical text of a spec: four spaces a level, lines of 100 where possible, one way to write each tree."""

from .trees import WIDTH, docstring, format_ast, format_body, format_declarations, format_file, format_node

__all__ = ["WIDTH", "docstring", "format_ast", "format_body", "format_declarations", "format_file", "format_node"]
