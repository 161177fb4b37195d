"""Ten training steps of each kind of layer beside PyTorch: ``python -m benchmarks.parity`` writes docs/parity.md.

PyTorch is not a dependency of the project; install it first. It computes in float64 here, as an oracle, from the same
parameters in the same layout.
"""
