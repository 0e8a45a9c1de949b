"""Pages on this machine: a server that only its own page can talk to, and a map library."""

from .answers import answer
from .page import Page
from .scripts import drawing
from .server import running, serve

__all__ = ["Page", "answer", "drawing", "running", "serve"]
