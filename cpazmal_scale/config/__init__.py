"""One frozen model of a run: it is the YAML file, the flags, the Prefect form and the identity.

`RunConfig` holds a section for every stage; a field with its docstring is all that a setting needs.
"""

from cpazmal_scale.config.cluster import Cluster, Kubernetes, Slurm
from cpazmal_scale.config.learning import Dtw, Features, Flags, Samples, Train
from cpazmal_scale.config.legend import ClassStyle
from cpazmal_scale.config.maps import After, Assess, Classify
from cpazmal_scale.config.run import RunConfig, identity
from cpazmal_scale.config.scenes import Ingest, Level1b, Naming, Terrain
from cpazmal_scale.config.section import Name, Section
from cpazmal_scale.config.table import Table
from cpazmal_scale.vocabulary import CLASS_NAMES, GLACIER_CLASSES, MASK_BITS, NOT_VALID, Statistic

__all__ = [
    "CLASS_NAMES",
    "GLACIER_CLASSES",
    "MASK_BITS",
    "NOT_VALID",
    "After",
    "Assess",
    "ClassStyle",
    "Classify",
    "Cluster",
    "Dtw",
    "Features",
    "Flags",
    "Ingest",
    "Kubernetes",
    "Level1b",
    "Name",
    "Naming",
    "RunConfig",
    "Samples",
    "Section",
    "Slurm",
    "Statistic",
    "Table",
    "Terrain",
    "Train",
    "identity",
]
