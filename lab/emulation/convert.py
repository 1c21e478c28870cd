"""Plain data into the structs of model.py, with errors that name the real key.

msgspec says `$.nodes[...].kind` where a name belongs. The name is found by asking again with one entry at a time.
"""

import re
from typing import Any

import msgspec

from lab.emulation.model import Document
from lab.emulation.source import KeyPath, Source

_WORDS = {"object": "a mapping", "array": "a list", "str": "text", "int": "a whole number", "bool": "true or false"}


def document(source: Source) -> Document:
    """The struct, or a ConfigError with file, line and key."""
    try:
        return msgspec.convert(source.data, Document)
    except msgspec.ValidationError as error:
        text, _, where = str(error).partition(" - at ")
        path = _locate(source.data, where)
        if unknown := re.search(r"unknown field `(.+)`", text):
            path = (*path, unknown[1])
        raise source.error(path, plain_words(text)) from error


def plain_words(text: str) -> str:
    """What msgspec complains of, in words that need no Python."""
    if pattern := re.search(r"matching regex '(.*)'", text):
        examples = _examples(msgspec.json.schema(Document), pattern[1].replace("\\\\", "\\"))
        return f"is not written as expected; write for instance {', '.join(examples)}"
    if unknown := re.search(r"unknown field `(.+)`", text):
        return f"`{unknown[1]}` is not a known key here"
    if text.startswith("Invalid enum value"):
        return text.removeprefix("Invalid enum value ") + " is none of the words that may stand here"
    if missing := re.search(r"missing required field `(.+)`", text):
        return f"lacks the key `{missing[1]}`"
    for name, word in _WORDS.items():
        text = text.replace(f"`{name}", f"`{word}")
    return "must be " + text.removeprefix("Expected ").replace(" | null", "").replace(", got", ", not").replace("`", "")


def _examples(schema: Any, pattern: str) -> list[str]:
    if isinstance(schema, dict):
        if schema.get("pattern") == pattern and "examples" in schema:
            return list(map(str, schema["examples"]))
        schema = list(schema.values())
    if isinstance(schema, list):
        return next((found for part in schema if (found := _examples(part, pattern))), [])
    return []


def _locate(data: Any, where: str) -> KeyPath:
    """Resolve msgspec's path against the data."""
    path: KeyPath = ()
    base = where.removeprefix("`key` in ")
    for name, place in re.findall(r"\.([A-Za-z_]\w*)|\[(\d+|\.\.\.)\]", base):
        if name:
            path = (*path, name)
        elif place != "...":
            path = (*path, int(place))
        else:
            path = (*path, _refused(data, path))
    return (*path, _refused(data, path)) if base != where else path


def _refused(data: Any, path: KeyPath) -> str | int:
    """The first entry of the mapping at `path` that alone is refused with the same words."""
    here: dict[str | int, Any] = data
    for step in path:
        here = here[step]
    whole = _refusal(data)
    return next(key for key, value in here.items() if _refusal(_with(data, path, {key: value})) == whole)


def _refusal(data: Any) -> str:
    try:
        msgspec.convert(data, Document)
    except msgspec.ValidationError as error:
        return str(error)
    return ""


def _with(data: Any, path: KeyPath, value: Any) -> Any:
    """A copy of the data with another value at the path."""
    if not path:
        return value
    copy: Any = list(data) if isinstance(data, list) else dict(data)
    copy[path[0]] = _with(data[path[0]], path[1:], value)
    return copy
