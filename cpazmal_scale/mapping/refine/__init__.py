"""Maps from maps."""
