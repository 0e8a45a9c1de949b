"""Cards and pictures of scenes."""
