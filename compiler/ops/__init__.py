"""Tensor operations: one class each, holding all that is known of it."""
