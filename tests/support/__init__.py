"""Helpers that tests share: small campaigns, real servers, naive twins."""
