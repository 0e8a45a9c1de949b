"""Windows or blocks to log-cumulant series."""
