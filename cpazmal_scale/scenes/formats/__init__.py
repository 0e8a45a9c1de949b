"""One module per raster format."""
