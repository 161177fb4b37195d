"""Measures that are not means over examples: metrics over a set, and the size of gradients and updates."""
