"""Series to distances, barycenters and classifiers."""
