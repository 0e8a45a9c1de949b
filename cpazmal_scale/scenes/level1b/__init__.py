"""Level-1b products of TerraSAR-X, TanDEM-X and PAZ."""
