"""Training: a model with its parameters, the loop over its batches, the programs of a spec in order, searches."""
