"""Settings of the documentation: every Markdown page of the repository, built by `make docs`."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "extensions"))

from cpazmal_scale import __version__

project = "cpazmal-scale"
author = "the cpazmal-scale authors"
release = __version__
root_doc = "README"

# The source is the whole repository: links between pages are the same here and on a git host.
include_patterns = ["*.md", "docs/**", "deploy/**", "catalogs/**"]
exclude_patterns = [
    ".*",
    "DESCRIPTION.md",
    "build",
    "**/.venv*",
    "*.egg-info",
    "docs/README.md",
    "**/__pycache__",
]

extensions = [
    "myst_nb",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "equations",
    "navigation",
    "reference",
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the notebook is kept with its pictures; a test runs it

default_role = "literal"
autodoc_default_options = {"members": True, "member-order": "bysource"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False
suppress_warnings = ["ref.python"]  # rooms may use one name for their own thing, such as Block

html_theme = "furo"
html_title = "cpazmal-scale"
html_math_renderer = "mathml"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
copybutton_exclude = ".linenos, .gp, .go"
