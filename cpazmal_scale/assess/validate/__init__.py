"""Cross-validation of methods."""
