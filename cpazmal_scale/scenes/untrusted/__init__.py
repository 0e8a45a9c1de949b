"""All that parses hostile bytes."""
