"""Acquisitions."""
