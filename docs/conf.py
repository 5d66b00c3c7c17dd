"""How Sphinx makes the site: the pages of this folder, and a reference of the docstrings.

``tox -e docs`` builds it. The docstrings are read from the source, so neither torch nor napari
need to be installed; a warning is an error.
"""

import re
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[1] / "src" / "unet_napari"

#: What Python users call, and what extensions build on; all other modules are for reading.
SHOWN = {
    "": "__init__ errors",
    "api": "__init__ prediction training",
    "inference": "__init__ config progress summary",
    "training": "__init__ config events",
    "images": "__init__ axes image normalise read write",
    "labels": "__init__ annotated painting",
    "model": "__init__ info model",
    "networks": "__init__ base catalogue",
    "tasks": "__init__ base cells losses semantic",
    "evaluation": "__init__ classes objects",
    "engine": "__init__ client protocol requests",
}

project = "unet-napari"
author = "The unet-napari developers"
copyright = "The unet-napari developers, BSD-3-Clause"  # noqa: A001  the name that Sphinx wants

extensions = ["autoapi.extension", "myst_parser", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = "unet-napari"
html_static_path: list[str] = []
nitpicky = False

# Markdown ---------------------------------------------------------------------------------------
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 4

# Reference --------------------------------------------------------------------------------------
autoapi_dirs = [str(SOURCE)]
autoapi_root = "reference"
shown = {SOURCE / room / f"{name}.py" for room, names in SHOWN.items() for name in names.split()}
if missing := sorted(str(path) for path in shown if not path.is_file()):
    raise FileNotFoundError(f"SHOWN in docs/conf.py names what is not there: {missing}")
autoapi_ignore = [str(path) for path in SOURCE.rglob("*.py") if path not in shown]
autoapi_options = ["members", "show-module-summary", "undoc-members"]
autoapi_python_class_content = "both"
autoapi_add_toctree_entry = False
autoapi_keep_files = False
default_role = "literal"  # `name` in a docstring is code, as it is in Markdown
napoleon_google_docstring = False
napoleon_use_ivar = True  # an attribute is described once, in the list of its class
# Modules that are not shown are no errors, nor are words in types that several classes have.
suppress_warnings = ["autoapi.python_import_resolution", "ref.python"]


def setup(app: Any) -> None:  # noqa: ANN401  Sphinx is not installed where types are checked
    """Let napoleon see docstrings in which ``(K, *S)`` is a shape, not the start of an emphasis."""
    app.connect("autodoc-process-docstring", _escape_stars, priority=100)


def _escape_stars(*arguments: Any) -> None:  # noqa: ANN401
    lines: list[str] = arguments[-1]
    lines[:] = [re.sub(r"(?<=[ (])\*(?=[A-Za-z])", r"\\*", line) for line in lines]
