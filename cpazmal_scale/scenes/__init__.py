"""Untrusted bytes in, calibrated and described scenes out."""
