"""Predictions and reference to figures of merit."""
