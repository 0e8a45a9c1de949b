"""A campaign that looks like the real one, with its truth."""
