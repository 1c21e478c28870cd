"""A whole run in one HTML file, to send by mail: every page a part of it, every file that a page links to inside it.

Rules of this file: which part is seen is decided by the fragment of the address alone, in CSS, so that it works without
JavaScript; a browser that cannot do that shows all parts one after the other, the index first. Ids of a page get its
part's name in front, so that no two are alike; links between pages become fragments, links to files `data:` addresses.
A file that is larger than LARGEST_FILE stays outside, and its link says so. Nothing is ever fetched: the content
security policy is that of all pages.
"""

import base64
import posixpath
from collections.abc import Iterable, Mapping
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

from lab.report import assets

LARGEST_FILE = 4_000_000
# What mail servers commonly take, as octets of the file; `ikelab report build` warns above it.
MAILABLE = 20_000_000
INDEX = "index.html"
_REFERENCES = frozenset({"for", "aria-labelledby", "aria-describedby", "aria-controls"})
_VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "wbr"})
STYLE = """
.part > .top { padding-inline: 0; }
@supports selector(:has(*)) {
  .part { display: none; }
  .part:target, .part:has(:target), body:not(:has(.part:target, .part :target)) #part-0 { display: block; }
}
"""


class _Page(HTMLParser):
    """Rewrites one page into a part: what stands in its header and its main element."""

    def __init__(self, name: str, path: str, parts: Mapping[str, str], run_dir: Path) -> None:
        """`path` is the page's from the run directory; `parts` has the name of the part of every page."""
        super().__init__(convert_charrefs=False)
        self.name, self.title = name, ""
        self._path, self._parts, self._run_dir = path, parts, run_dir
        self._out: list[str] = []
        self._inside = ""
        self._titled = False

    @property
    def text(self) -> str:
        """The part."""
        return "".join(self._out)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        if tag == "title":
            self._titled = True
        elif tag == "main" or (tag == "header" and not self._inside):
            self._inside = tag
            if tag == "main":
                return
        if self._inside:
            self._out.append(self._tag(tag, attrs))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element without content, as SVG has them."""
        if self._inside:
            self._out.append(f"{self._tag(tag, attrs)[:-1]}/>")

    def handle_endtag(self, tag: str) -> None:
        """An element ends."""
        if tag == "title":
            self._titled = False
        if not self._inside or tag in _VOID:
            return
        if tag != "main":
            self._out.append(f"</{tag}>")
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._titled:
            self.title += data
        if self._inside:
            self._out.append(data)

    def handle_entityref(self, name: str) -> None:
        """A character by its name."""
        self.handle_data(f"&{name};")

    def handle_charref(self, name: str) -> None:
        """A character by its number."""
        self.handle_data(f"&#{name};")

    def _tag(self, tag: str, attrs: list[tuple[str, str | None]]) -> str:
        found: dict[str, str | None] = {}
        for key, value in attrs:
            if key == "id" or key in _REFERENCES:
                found[key] = " ".join(self._own(word) for word in (value or "").split())
            elif key == "href" and tag != "use":
                found |= self._link(value or "")
            elif key != "download":  # which depends on where the link leads now
                found[key] = value
        words = (key if value is None else f'{key}="{escape(value)}"' for key, value in found.items())
        return f"<{' '.join([tag, *words])}>"

    def _own(self, name: str) -> str:
        """An id of this page; those of the index, which its script knows, stay as they are."""
        return name if self.name == "part-0" else f"{self.name}-{name}"

    def _link(self, href: str) -> dict[str, str | None]:
        """A link as it is here."""
        if "://" in href or href.startswith(("mailto:", "data:")):
            return {"href": href}
        target, _, fragment = href.partition("#")
        if not target:
            return {"href": f"#{self._own(fragment)}" if fragment else f"#{self.name}"}
        path = posixpath.normpath(posixpath.join(posixpath.dirname(self._path), unquote(target)))
        if part := self._parts.get(path):
            return {
                "href": f"#{part}" if not fragment else f"#{fragment}" if part == "part-0" else f"#{part}-{fragment}"
            }
        file = self._run_dir / path
        if not file.is_file() or file.stat().st_size > LARGEST_FILE:
            return {"href": f"#{self.name}", "title": "not in this file: it is too large, or was not there"}
        data = base64.b64encode(file.read_bytes()).decode()
        return {"href": f"data:application/octet-stream;base64,{data}", "download": file.name}


def write(run_dir: Path, target: Path) -> int:
    """Join the pages of a run directory, which are there already, in the file `target`; how many octets it has."""
    paths = [INDEX, *sorted(_pages(run_dir))]
    parts = {path: f"part-{number}" for number, path in enumerate(paths)}
    pages = [_read(run_dir, path, parts) for path in paths]
    # A part is to its sections what the main element is to those of a page.
    style = assets.static("style.css").replace("main >", ".part >") + STYLE
    code = assets.static("copy.js") + assets.static("index.js")
    body = "\n".join(f'<article class="part" id="{page.name}">{page.text}</article>' for page in pages)
    text = _FRAME.format(
        policy=escape(assets.policy(style, code)), title=pages[0].title, style=style, sprite=_sprite(run_dir),
        body=body, script=code,
    )  # fmt: skip
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8", newline="\n")
    return target.stat().st_size


def _pages(run_dir: Path) -> Iterable[str]:
    """The paths of all pages but the index, from the run directory."""
    for page in run_dir.glob("*.html"):
        if page.name not in (INDEX, "diff.html"):
            yield page.name
    for page in (run_dir / "scenarios").rglob(INDEX):
        yield page.relative_to(run_dir).as_posix()


def _read(run_dir: Path, path: str, parts: Mapping[str, str]) -> _Page:
    page = _Page(parts[path], path, parts, run_dir)
    page.feed((run_dir / path).read_text(encoding="utf-8"))
    page.close()
    return page


def _sprite(run_dir: Path) -> str:
    """The symbols that all pages use."""
    text = (run_dir / INDEX).read_text(encoding="utf-8")
    begin = text.index('<svg class="sprite"')
    return text[begin : text.index("</svg>", begin) + len("</svg>")]


_FRAME = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#main">Skip to content</a>
{sprite}
<main id="main" tabindex="-1">
{body}
</main>
<script>{script}</script>
</body>
</html>
"""
