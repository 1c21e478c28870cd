"""Templates, style and scripts: found in a source checkout or in an installed wheel, and allowed by hash.

Every page carries its style and script inline, so that a page sent on its own still works; the content security
policy names them by their SHA-256, and forbids everything else.
"""

import base64
import hashlib
from functools import cache
from pathlib import Path

from lab.errors import UnfitError


@cache
def folder() -> Path:
    """The directory with `templates/` and `static/`."""
    package = Path(__file__).resolve().parents[1]
    for place in (package.parent / "reports", package / "data" / "reports"):
        if (place / "templates" / "index.html").is_file():
            return place
    raise UnfitError("the report's templates are missing", fix="install ikelab again")


@cache
def static(name: str) -> str:
    """The text of a file in `static/`."""
    return (folder() / "static" / name).read_text(encoding="utf-8")


def policy(style: str, script: str) -> str:
    """The content security policy of a page with exactly this style and this script."""
    return (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
