"""Sphinx's configuration of the site that `make docs` builds into build/site.

The source is the whole repository, so that links between pages are the same here, on GitHub and in
an editor. Nothing is fetched, neither while it is built nor by who reads it.
"""

import importlib.metadata
import posixpath
import re
from typing import Any

PAGES = ("docs/**.md", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

project = "ipcluster-azure"
author = "the authors of ipcluster-azure"
release = importlib.metadata.version(project)
root_doc = "docs/index"
include_patterns = list(PAGES)
exclude_patterns = ["build/**", ".*/**", "tests/**"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
myst_heading_anchors = 4  # as GitHub makes them
myst_enable_extensions = ["colon_fence"]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_inherit_docstrings = False

html_theme = "pydata_sphinx_theme"
html_title = "ipcluster-azure"
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {"**": ["pages.html"]}
html_additional_pages = {"index": "start.html"}  # the site's address itself
templates_path = ["_templates"]
html_theme_options: dict[str, Any] = {
    "navbar_center": [],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": False,
    "search_bar_text": "Search",
    "footer_start": ["copyright"],
    "footer_end": [],
}


def setup(app: Any) -> None:
    app.connect("source-read", _add_pages)
    app.connect("autodoc-process-docstring", _as_markdown)


def _add_pages(app: Any, page: str, source: list[str]) -> None:
    """Make the list of pages beside each page of what docs/index.md links to, by its headings."""
    if page != root_doc:
        return
    introduction, *sections = source[0].split("\n## ")
    for text in (f"Start\n{introduction}", *sections):
        caption = text.partition("\n")[0]
        links = re.findall(r"\]\(([^)#]+)\.md\)", text)
        names = [posixpath.normpath(posixpath.join("/docs", link)) for link in links]
        entries = "\n".join(names)
        source[0] += f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n\n{entries}\n```\n"


def _as_markdown(
    app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]
) -> None:
    """Read docstrings as they are written: `x` is code, and so is an indented block."""
    found, in_block = [], False
    for before, line in zip(["", *lines], lines, strict=False):
        indented = line.startswith("    ")
        if indented and not in_block and not before:
            found += ["::", ""]
        in_block = indented or (in_block and not line)
        found.append(line if in_block else re.sub(r"`([^`]+)`", r"``\1``", line))
    lines[:] = found
