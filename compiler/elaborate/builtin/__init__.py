"""The functions of the language that are written in Python, and how they are called."""
