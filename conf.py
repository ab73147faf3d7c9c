"""Sphinx configuration of the guide.  Everything special lives in ``docs/_extensions``."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent
sys.path[:0] = [str(ROOT / "docs" / "_extensions"), str(ROOT)]

project = "verl performance tuning on AMD ROCm"
author = "The guide's authors"
project_copyright = "The guide's authors"
language = "en"

extensions = [
    "blocks.extension",
    "facts_pages.extension",
    "myst_parser",
    "sphinx.ext.doctest",
    "sphinx_copybutton",
    "sphinx_design",
]
include_patterns = ["index.rst", "docs/**"]
# Folders without pages are named so that Sphinx does not walk them; .venv holds tens of thousands of files.
exclude_patterns = [
    ".*",
    "build",
    "docs/_*",
    "guide",
    "records",
    "requirements",
    "snippets",
    "tests",
    "tools",
    "verl_rocm",
]
nitpicky = True
highlight_language = "none"
pygments_style = "default"

html_theme = "sphinx_rtd_theme"
html_static_path = ["docs/_static"]
html_css_files = ["guide.css"]
html_title = project
html_copy_source = False
html_show_sphinx = False
html_theme_options = {"navigation_depth": 3, "collapse_navigation": False}

# A reader copies commands, never the prompt before them.
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

myst_enable_extensions = ["colon_fence", "deflist"]

# Whole-file pages are made at the end of the html build, so no source file stands where their links point.
linkcheck_ignore = [r"(\.\./)*snippets/.*\.html"]
# GitHub draws the anchors of lines in the browser.
linkcheck_anchors_ignore_for_url = [r"https://github\.com/.+/blob/.+"]
linkcheck_timeout = 20
linkcheck_retries = 2
