"""Maps against reference maps."""
