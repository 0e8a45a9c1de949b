"""A cube and a model to a map."""
