"""Areas with confidence intervals."""
