"""A model as a whole: elaborated as it is used and as it is trained, with its entries and its trace."""
