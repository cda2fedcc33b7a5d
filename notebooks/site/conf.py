"""The site, built offline from what stands in the repository:

    python -m sphinx -W -b html notebooks/site OUT

Nothing is executed: lessons are shown with the outputs that they were saved with.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from mirror import mirror  # noqa: E402
from reference import write_pages  # noqa: E402

import lunsedu  # noqa: E402

HERE = Path(__file__).resolve().parent
mirror(HERE)
write_pages(HERE / "reference")

project = "Lunsformter"
author = "The Lunsformter authors"
copyright = "The Lunsformter authors"
version = release = lunsedu.__version__
language = "en"

extensions = ["myst_nb", "sphinx_design", "mathml"]
html_math_renderer = "mathml"
exclude_patterns = ["pictures/*.txt", "notebooks/solutions/*"]
nb_execution_mode = "off"
nb_merge_streams = True
myst_enable_extensions = ["amsmath", "colon_fence", "dollarmath"]
myst_heading_anchors = 4  # links such as GLOSSARY.md#rank
myst_dmath_double_inline = True

html_theme = "pydata_sphinx_theme"
html_title = "Lunsformter"
html_static_path = ["_static"]
html_favicon = "_static/favicon.svg"
html_context = {"default_mode": "auto"}
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_nav_level": 1,
    "navigation_depth": 2,
    "header_links_before_dropdown": 6,
    "navbar_align": "left",
    "show_prev_next": True,
    "navbar_persistent": ["search-button"],
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}
