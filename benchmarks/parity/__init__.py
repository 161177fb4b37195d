"""Every function of the library beside an oracle, with random settings: ``python -m benchmarks.parity --help``.

setting      what is compared, and families of settings, each from a seed
families/    the generators, a module for each part of the library
analytic     functions for oracles, of complex numbers too, so that gradients follow
running      many settings in one model, in float32 and float64
judging      errors in units of rounding
conventions  what differs on purpose, with the section of docs/numbers.md that says so
suite        families run, and what the library has that no family names
steps, cases, peer   ten training steps of each kind of layer beside PyTorch, where that is installed
lengths, modules     layers for sequences beside PyTorch's modules, at several lengths
report       docs/parity.md
"""
