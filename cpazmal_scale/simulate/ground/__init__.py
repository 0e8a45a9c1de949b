"""Relief and surfaces."""
