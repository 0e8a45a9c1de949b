"""The parsers of untrusted bytes."""
