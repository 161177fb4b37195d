"""Scopes of files: the library's, a spec's own, and those that it imports."""
