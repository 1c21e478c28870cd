"""How Sphinx builds these pages; what is generated from the code is written by `generate` before it reads them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import generate

project = "ikelab"
copyright = "the ikelab authors; GPL-2.0-or-later"
extensions = ["myst_parser"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["_build", "example-project"]
html_theme = "furo"
html_title = "ikelab"
html_static_path = ["_static"]
# No network: the pages open from disk, as the reports do.
html_theme_options = {"footer_icons": []}
html_copy_source = False
html_show_sphinx = False


def setup(app: object) -> None:
    """Write the generated pages."""
    generate.write_all(Path(__file__).parent / "generated")
