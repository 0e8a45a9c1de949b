"""The published CPAZMaL dataset: HDF5 files read, repaired, written, and its learning scenarios."""
