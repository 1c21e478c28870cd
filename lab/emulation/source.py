"""YAML that remembers its lines: plain data, and for each key path the line it stands on.

Every fault is one ConfigError with file and line: broken syntax, a key given twice (PyYAML would keep the last),
a second document, nesting without end. Aliases are followed, within bounds.
"""

from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

import yaml

from lab.errors import ConfigError

KeyPath = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the C parser, where PyYAML was built with it
_DEEPEST, _MOST = 32, 100_000


@dataclass(slots=True)
class Source:
    """The data of a YAML file and the line of each key path."""

    file: str
    data: Any = None
    lines: dict[KeyPath, int] = field(default_factory=dict)

    def line(self, path: KeyPath) -> int:
        """The line of the longest known beginning of this path."""
        while path and path not in self.lines:
            path = path[:-1]
        return self.lines.get(path, 1)

    def error(self, path: KeyPath, text: str) -> ConfigError:
        """A ConfigError that points at this key path."""
        return ConfigError(text, file=self.file, line=self.line(path), key=".".join(map(str, path)))


def read(path: FilePath) -> Source:
    """Read a YAML file; raises ConfigError."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"cannot be read: {error.strerror}", file=str(path)) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is not UTF-8 text", file=str(path)) from error
    return parse(text, str(path))


def parse(text: str, file: str) -> Source:
    """Parse YAML text; `file` is the name that errors carry."""
    source = Source(file)
    try:
        loader = _LOADER(text)
        try:
            node = loader.get_single_node()
            if node is None:
                raise ConfigError("is empty", file=file)
            source.data = _Walk(loader, source).plain(node, ())
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise ConfigError(f"broken YAML: {error.problem}", file=file, line=line) from error
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(f"broken YAML: {' '.join(str(error).split())}", file=file) from error
    except RecursionError as error:
        raise ConfigError("is nested too deeply", file=file) from error
    return source


class _Walk:
    """Turns composed nodes into plain data and notes their lines."""

    def __init__(self, loader: Any, source: Source) -> None:
        self._loader, self._source, self._count = loader, source, 0

    def plain(self, node: yaml.Node, path: KeyPath) -> Any:
        """The data of a node."""
        line = self._source.lines.setdefault(path, node.start_mark.line + 1)
        self._count += 1
        if len(path) > _DEEPEST or self._count > _MOST:
            raise ConfigError("is nested too deeply or too large", file=self._source.file, line=line)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(item, (*path, place)) for place, item in enumerate(node.value)]
        return self._loader.construct_object(node)

    def _mapping(self, node: yaml.MappingNode, path: KeyPath) -> dict[str | int, Any]:
        result: dict[str | int, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = self._loader.construct_object(key_node) if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str | int) or isinstance(key, bool):
                raise ConfigError(f"a key must be a word, not {key!r}", file=self._source.file, line=line)
            if key in result:
                name = ".".join(map(str, (*path, key)))
                raise ConfigError("this key is given twice", file=self._source.file, line=line, key=name)
            self._source.lines[*path, key] = line
            result[key] = self.plain(value_node, (*path, key))
        return result
