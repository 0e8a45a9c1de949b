from .catalog import open_catalog
from .config import RunConfig
from .stages.pipeline import run

__version__: str
__all__ = ["RunConfig", "__version__", "open_catalog", "run"]
