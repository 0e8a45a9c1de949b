"""Where pixels are."""
