"""A trained classifier with what it needs, its place in a store, and its card.

The face of the room, listed in `__init__.pyi`; a name is loaded on first use.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
