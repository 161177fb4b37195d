"""The canonical text of a spec: four spaces a level, lines of 100 where possible, one way to write each tree.

    documents     documents that know where they may be broken; nothing of the language
    comments      the comments of a text, and where they go back to
    expressions   expressions, types and signatures as documents
    statements    statements, declarations and files as text

A module imports those above it.
"""

from .statements import WIDTH, docstring, format_ast, format_body, format_declarations, format_file, format_node

__all__ = ["WIDTH", "docstring", "format_ast", "format_body", "format_declarations", "format_file", "format_node"]
