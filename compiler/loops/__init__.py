"""Ops that run a graph again and again, their gradients, and what makes them fast."""
