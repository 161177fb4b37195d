"""Looking into a model: every tensor with its gradient, and gradients beside differences."""
