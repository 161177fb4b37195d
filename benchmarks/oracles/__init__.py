"""The library again in NumPy, in float64 and written for clarity: what tests and the catalogue compare it with."""
