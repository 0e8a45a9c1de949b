"""Pages on this machine: a server that only its own page can talk to, and a map library."""

from .answers import answer
from .page import Page
from .server import running, serve

__all__ = ["Page", "answer", "running", "serve"]
