"""The rows of the catalogue: one module a row, named by its subject; the row's number is in the module's ``ROW``."""
