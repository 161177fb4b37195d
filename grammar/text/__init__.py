"""The text language: its grammar, the parser (``dsl`` is the door), and messages about mistakes in syntax."""
