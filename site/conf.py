"""How Sphinx reads the Markdown of docs/; `make docs` runs it, with warnings as errors."""

from __future__ import annotations

from importlib.metadata import version as installed

project = "dd-pa"
author = "The dd-pa contributors"
copyright = author
release = version = installed("dd-pa")
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4
suppress_warnings = ["myst.header", "misc.highlighting_failure"]  # pages begin where they like; `…` is no Python

autodoc_member_order = "bysource"
autodoc_typehints = "description"
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = "dd-pa"
html_copy_source = False
html_show_sphinx = False
html_theme_options = {
    "source_repository": "https://github.com/dd-pa/dd-pa/",
    "source_branch": "main",
    "source_directory": "docs/",
}
copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
