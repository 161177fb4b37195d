"""A model as a whole.

``model`` elaborates it as it is used and as it is trained, ``entries`` its entries, ``set_metrics`` its metrics over
a set; ``names`` says what its tensors are called.
"""
