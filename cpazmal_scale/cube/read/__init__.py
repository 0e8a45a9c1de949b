"""The one reader of cubes."""
