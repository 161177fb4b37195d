"""What each form of the language means: expressions, statements, calls, modules, parameters."""
