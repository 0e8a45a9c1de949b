"""The published CPAZMaL dataset: HDF5 files read, healed, written, and its learning scenarios."""
