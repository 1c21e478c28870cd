"""The topology drawing of a run directory, made safe to stand inside a page.

Rules of this file: an allow-list of elements and attributes; what is not on it vanishes with its content. References
stay inside the drawing (`#name`), names get a prefix so that they cannot collide with the page's own.
"""

import re
from xml.etree import ElementTree

from markupsafe import Markup

from lab.report.svg import element

LARGEST = 400_000
DEEPEST = 40
PREFIX = "drawing-"
SHAPES = """svg g path rect circle ellipse line polyline polygon text tspan title desc defs marker symbol use
linearGradient stop pattern clipPath"""
LOOKS = """x y x1 y1 x2 y2 cx cy r rx ry width height d points transform viewBox preserveAspectRatio fill fill-opacity
fill-rule stroke stroke-width stroke-dasharray stroke-linecap stroke-linejoin stroke-opacity opacity vector-effect
font-size font-family font-weight font-style text-anchor dominant-baseline dx dy letter-spacing class role marker-start
marker-mid marker-end markerWidth markerHeight refX refY orient markerUnits offset stop-color gradientUnits
patternUnits clip-path paint-order color"""
ELEMENTS, ATTRIBUTES = frozenset(SHAPES.split()), frozenset(LOOKS.split())
LOCAL = re.compile(r"^url\(#([A-Za-z_][\w.-]*)\)$")


def inline(source: str) -> Markup | None:
    """The drawing as inline SVG, or None if it is no SVG that can be trusted."""
    if len(source) > LARGEST or "<!DOCTYPE" in source.upper() or "<!ENTITY" in source.upper():
        return None
    try:
        root = ElementTree.fromstring(source)
    except ElementTree.ParseError:
        return None
    return _clean(root, 0) if _local_name(root.tag) == "svg" else None


def _clean(node: ElementTree.Element, depth: int) -> Markup:
    name = _local_name(node.tag) if isinstance(node.tag, str) else ""
    if name not in ELEMENTS or depth > DEEPEST:
        return Markup("")
    children: list[str | Markup] = [node.text or ""]
    for child in node:
        children += [_clean(child, depth + 1), child.tail or ""]
    return element(name, *children, **_attributes(node))


def _attributes(node: ElementTree.Element) -> dict[str, str]:
    kept: dict[str, str] = {}
    for full, value in node.attrib.items():
        name = _local_name(full)
        if name == "href":
            if value.startswith("#"):
                kept["href"] = f"#{PREFIX}{value[1:]}"
        elif name in ("aria-labelledby", "aria-describedby"):
            kept[name] = " ".join(PREFIX + part for part in value.split())
        elif name == "id":
            kept["id"] = PREFIX + value
        elif (name in ATTRIBUTES or name.startswith("aria-")) and (safe := _value(value)) is not None:
            kept[name] = safe
    return kept


def _value(value: str) -> str | None:
    """A value without references to the outside."""
    if "url(" not in value.lower():
        return value
    match = LOCAL.match(value.strip())
    return f"url(#{PREFIX}{match[1]})" if match else None


def _local_name(tag: str) -> str:
    return tag.rpartition("}")[2]
