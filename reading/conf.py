"""How Sphinx makes the reading edition: `make site`, `make pdf` and `make epub` call it.

It reads what `prepare.py` has gathered, executes nothing and asks no server for anything.
"""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

CHINESE = os.environ.get("READING_LANGUAGE") == "zh-CN"
language = "zh_CN" if CHINESE else "en"
project = "一步一步学风格迁移" if CHINESE else "Style transfer, step by step"
author = "the authors of the course"
project_copyright = author

extensions = ["myst_nb", "sphinx.ext.autodoc", "formulas", "pictures", "docstrings"]
exclude_patterns = ["**/.ipynb_checkpoints"]
root_doc = "index"
nitpicky = True
default_role = "code"  # docstrings write `name`

# notebooks as they were executed
nb_execution_mode = "off"
nb_merge_streams = True
nb_ipywidgets_js = {}  # theirs come from another server
nb_code_prompt_show = "展开{type}" if CHINESE else "Show {type}"
nb_code_prompt_hide = "收起{type}" if CHINESE else "Hide {type}"
myst_enable_extensions = ["dollarmath", "attrs_inline"]
myst_heading_anchors = 4
myst_links_external_new_tab = False
suppress_warnings = [
    "mystnb.unknown_mime_type",  # a widget has a picture beside it
    "epub.unknown_project_files",  # what Sphinx itself leaves beside the pages
]
myst_heading_slug_func = "headings.as_jupyterlab"

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
nitpick_ignore_regex = [("py:.*", ".*")]  # other libraries' types are no pages of ours

html_theme = "sphinx_book_theme"
html_title = project
html_math_renderer = "mathml"
html_static_path = ["static", "../stlib/course/pictures"]
html_css_files = ["course.css", "play.css"]
html_js_files = ["course.js", "play.js", *(["chinese.js"] if CHINESE else [])]
html_domain_indices = False
html_copy_source = False
html_show_sourcelink = False
html_last_updated_fmt = None
html_sidebars = {"**": ["navbar-logo.html", "search-button-field.html", "sbt-sidebar-nav.html"]}
html_search_language = "zh" if CHINESE else "en"
# without the course's own words, the Chinese search does not find its most important ones
html_search_options = {"dict": str(Path(__file__).parents[1] / "build/reading/words.txt")}
templates_path = ["templates"]
html_theme_options = {
    "article_header_end": [
        "language.html",
        "article-header-buttons.html",
        "toggle-secondary-sidebar.html",
    ],
    "use_download_button": False,
    "use_fullscreen_button": False,
    "home_page_in_toc": True,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}

version = "1"  # of the ePub, which must have one; the course says its own in the changelog
epub_basename = "style-transfer-step-by-step"
epub_show_urls = "no"
epub_use_index = False
epub_exclude_files = ["search.html", ".buildinfo"]
epub_css_files = ["course.css"]
