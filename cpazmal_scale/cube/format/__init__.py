"""What is in a cube's store."""
