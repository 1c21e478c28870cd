"""Reads a page with html.parser and keeps what tests ask for; fails on bad nesting."""

from html.parser import HTMLParser
from pathlib import Path

VOID = {"meta", "link", "br", "img", "input", "hr"}
OPTIONAL_END = {"td", "th", "tr", "p"}
INLINE = {"b", "i", "em", "span", "a", "code"}
FETCHING = {"img", "iframe", "object", "embed", "audio", "video", "link", "source", "image", "feimage", "base", "form"}


class Outline(HTMLParser):
    """Ids, links, tags and words of a page, and whatever in it could act or fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self._open: list[str] = []
        self._words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.scripts: list[str] = []
        self.suspects: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self._open.append(tag)
        self._part(tag)
        if tag == "script":
            self.scripts.append("")
        if tag in FETCHING:
            self.suspects.append(f"<{tag}>")
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            elif name == "href":
                self.links.append(value or "")
            elif name.startswith("on") or name in ("style", "src", "srcset", "srcdoc", "action", "xlink:href"):
                self.suspects.append(f"<{tag} {name}>")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self._open.pop()

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open[-1] in OPTIONAL_END and self._open[-1] != tag:
            self._open.pop()
        assert self._open and self._open[-1] == tag, f"</{tag}> closes {self._open[-3:]}"
        self._open.pop()
        self._part(tag)

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self._words.append(" ")

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts[-1] += data
        elif not (self._open and self._open[-1] == "style"):
            self._words.append(data)

    @property
    def text(self) -> str:
        """All words with single blanks."""
        return " ".join("".join(self._words).split())


def outline(path: Path) -> Outline:
    """The outline of a page on disk."""
    return Outline(path.read_text(encoding="utf-8"))
