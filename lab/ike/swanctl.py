"""swanctl.conf text <-> tree.

Rules of this format (strongswan.conf syntax): `name { ... }` opens a section, `key = value` sets a value that ends
at the end of the line, at `#` or at `}`; a "quoted" value keeps everything, spans lines and knows the escapes
\\n \\r \\t \\" \\\\; `#` starts a comment; a section or key written twice is merged, the later value wins. `include`
and section references (`a : b {`) are refused with the line they stand in. The tree keeps line numbers, so that
every later complaint can name its place.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.errors import ConfigError

# Keys whose comma-separated value is a list for vici, as swanctl itself sends them.
_LISTS = """
    local_addrs remote_addrs proposals esp_proposals ah_proposals local_ts remote_ts vips pools groups cert_policy
    certs cacerts pubkeys crl_uris dns subnet
"""
LIST_KEYS = frozenset(_LISTS.split())

# The format needs four; parsing, rendering and mirroring go down as deep as the text does.
MOST_DEPTH = 20

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*)
      | (?P<newline>\n)
      | (?P<open>\{)
      | (?P<close>\})
      | (?P<equals>=)
      | (?P<name>[^\s{}=\#"]+)
      """,
    re.VERBOSE,
)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"[^\n#}\"{]*")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_ESCAPED = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


@dataclass(frozen=True, slots=True)
class Value:
    """The text of one setting and the line it stands in."""

    text: str
    line: int

    @property
    def items(self) -> list[str]:
        """The comma-separated parts, without blanks around them; an empty value has none."""
        return [part.strip() for part in self.text.split(",") if part.strip()]


@dataclass(slots=True)
class Section:
    """A named block: its settings and its sub-sections, in the order of the text."""

    name: str = ""
    line: int = 0
    values: dict[str, Value] = field(default_factory=dict)
    sections: dict[str, "Section"] = field(default_factory=dict)
    file: str = ""

    def get(self, key: str, default: str = "") -> str:
        """The text of a setting, or the default."""
        value = self.values.get(key)
        return value.text if value else default

    def plain(self) -> dict[str, object]:
        """Nested dicts of str and list[str], as vici wants them."""
        out: dict[str, object] = {}
        for key, value in self.values.items():
            out[key] = value.items if key in LIST_KEYS else value.text
        for name, section in self.sections.items():
            out[name] = section.plain()
        return out

    def error(self, text: str, key: str = "") -> ConfigError:
        """A ConfigError that names this section's file, and the line of the key (or of the section)."""
        value = self.values.get(key)
        return ConfigError(text, file=self.file, line=value.line if value else self.line, key=key or self.name)


def parse(text: str, file: str = "") -> Section:
    """Read swanctl.conf text; ConfigError names file and line."""
    return _Parser(text, file).read()


class _Parser:
    """A cursor over the text; one method per construct."""

    def __init__(self, text: str, file: str) -> None:
        self.text, self.file = text, file
        self.at, self.line, self.depth = 0, 1, 0

    def fail(self, text: str, line: int = 0) -> ConfigError:
        return ConfigError(text, file=self.file, line=line or self.line)

    def token(self) -> tuple[str, str]:
        """The next token as (kind, text), blanks and comments skipped; ("end", "") after the last."""
        while self.at < len(self.text):
            match = _TOKEN.match(self.text, self.at)
            if match is None:
                raise self.fail(f"unexpected {self.text[self.at]!r}")
            self.at = match.end()
            kind = str(match.lastgroup)
            if kind == "newline":
                self.line += 1
            elif kind != "space":
                return kind, match.group()
        return "end", ""

    def read(self) -> Section:
        root = Section(file=self.file, line=1)
        self.body(root, top=True)
        return root

    def body(self, section: Section, *, top: bool) -> None:
        """The inside of a section, up to its closing brace or the end of the text."""
        while True:
            kind, text = self.token()
            if (kind == "end" and top) or (kind == "close" and not top):
                return
            if kind == "end":
                raise self.fail(f"section {section.name!r} opened in line {section.line} is never closed")
            if kind != "name":
                raise self.fail(f"expected a key or a section name, found {text!r}")
            self.entry(section, text)

    def entry(self, section: Section, name: str) -> None:
        """What follows a name: `= value` or `{ body }`."""
        line = self.line
        if name == "include":
            raise self.fail("include is not supported: put the text into one file")
        kind, text = self.token()
        if kind == "equals":
            section.values[name] = Value(self.value(), line)
        elif kind == "open":
            if self.depth == MOST_DEPTH:
                raise self.fail(f"sections lie more than {MOST_DEPTH} deep in each other", line)
            inner = section.sections.setdefault(name, Section(name, line, file=self.file))
            self.depth += 1
            self.body(inner, top=False)
            self.depth -= 1
        elif name.endswith(":") or text.startswith(":"):
            raise self.fail("references to other sections are not supported: write the section out", line)
        else:
            raise self.fail(f"expected '=' or '{{' after {name!r}", line)

    def value(self) -> str:
        """The text after `=`: quoted, or bare up to the end of the line, a comment or a closing brace."""
        while self.at < len(self.text) and self.text[self.at] in " \t":
            self.at += 1
        if self.text.startswith('"', self.at):
            return self.quoted()
        match = _BARE.match(self.text, self.at)
        bare = match.group() if match else ""
        self.at += len(bare)
        if self.text[self.at : self.at + 1] in ('"', "{"):
            raise self.fail(f"unexpected {self.text[self.at]!r} in the value {bare.strip()!r}: put it in quotes")
        return bare.strip()

    def quoted(self) -> str:
        match = _QUOTED.match(self.text, self.at)
        if match is None:
            raise self.fail("this quoted value is never closed")
        self.at = match.end()
        self.line += match.group().count("\n")
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), m.group(1)), match.group(1), flags=re.DOTALL)


def render(section: Section, indent: int = 0) -> str:
    """The text of a tree; parse(render(tree)) gives the same tree but for the line numbers."""
    pad = "    " * indent
    out = [f"{pad}{key} = {_quote(value.text)}\n" for key, value in section.values.items()]
    for name, inner in section.sections.items():
        out.append(f"{pad}{name} {{\n{render(inner, indent + 1)}{pad}}}\n")
    return "".join(out)


def _quote(text: str) -> str:
    """Quotes only where a bare value would read differently."""
    if text == text.strip() and not re.search(r'["{}#\n\\]', text):
        return text
    escaped = (
        text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")
    )
    return f'"{escaped}"'


def mirror(section: Section) -> Section:
    """The other side of every connection: local and remote change places in connections and in their children.

    Names that a user chose (connections, children, secrets) stay, and so does what stands inside `local {}`.
    """
    out = _copy(section)
    connections = out.sections.get("connections", Section())
    for name, connection in connections.sections.items():
        turned = _renamed(connection)
        children = turned.sections.get("children", Section())
        children.sections = {child: _renamed(inner) for child, inner in children.sections.items()}
        connections.sections[name] = turned
    return out


def _swap(name: str) -> str:
    """`local_ts` -> `remote_ts`, `remote-1` -> `local-1`, anything else unchanged."""
    match = re.fullmatch(r"(local|remote)((?:[_-].*)?)", name)
    return ("remote" if match.group(1) == "local" else "local") + match.group(2) if match else name


def _renamed(section: Section) -> Section:
    values = {_swap(key): value for key, value in section.values.items()}
    sections: dict[str, Section] = {}
    for key, inner in section.sections.items():
        inner.name = _swap(key)
        sections[_swap(key)] = inner
    return Section(section.name, section.line, values, sections, section.file)


def _copy(section: Section) -> Section:
    copy: Callable[[Section], Section] = _copy
    inner = {name: copy(child) for name, child in section.sections.items()}
    return Section(section.name, section.line, dict(section.values), inner, section.file)
