"""Prefect flows over the library: order, retries and names."""
