"""A topology as a drawing: SVG of our own, and text for Graphviz and Mermaid.

The SVG stands alone or inside a page, in light and dark: colours are `light-dark()` values that follow the colour
scheme of the page, with the light ones as fallback. It says with text what it shows with shapes, and describes itself
to those who cannot see it. All names start with `topo-`, since the style of an inlined SVG reaches the whole page.
"""

from html import escape

from lab.emulation.layout import Place, places
from lab.emulation.model import Bursts, Impairment, Nat
from lab.emulation.topology import Attachment, Topology

_WIDTH, _HEIGHT = 118, 62  # of a node
_ACROSS, _DOWN = 214, 200  # from node to node; down so far that the labels in a fan of lines fit
_MARGIN = 12
_LETTER, _ROW = 7, 13  # a cautious width of a letter in a label, and the height of its rows

Point = tuple[int, int]
_STYLE = """\
svg.topo:root { color-scheme: light dark; background: #fff; background: light-dark(#fff, #14181f) }
.topo { font: 12px system-ui, sans-serif }
.topo text { fill: #1c2430; fill: light-dark(#1c2430, #e3e8ef) }
.topo .topo-name { font-weight: 600; font-size: 13px }
.topo .topo-small { font-size: 11px; fill: #4d5866; fill: light-dark(#4d5866, #aab4c2) }
.topo .topo-address { font: 11px ui-monospace, monospace }
.topo line { stroke: #5d6877; stroke: light-dark(#5d6877, #93a0b1); stroke-width: 1.5 }
.topo rect { stroke-width: 1.5; stroke: #5d6877; stroke: light-dark(#5d6877, #93a0b1); fill: #f5f7fa;
  fill: light-dark(#f5f7fa, #1e252f) }
.topo .topo-gateway rect { stroke-width: 2.5; stroke: #1d5fbf; stroke: light-dark(#1d5fbf, #7db0ff); fill: #eaf2fd;
  fill: light-dark(#eaf2fd, #16263f) }
.topo .topo-nat rect, .topo .topo-firewall rect {
  stroke-dasharray: 6 3; stroke: #a2530a; stroke: light-dark(#a2530a, #f0a860); fill: #fdf3e7;
  fill: light-dark(#fdf3e7, #33240f) }
"""


def svg(topology: Topology) -> str:
    """The topology as an SVG element. Of many gateways alike the first stands for all."""
    description, topology = _describe(topology), topology.with_one_client()
    suffered = [len(impairment_words(i)) for link in topology.links.values() for i in link.impair.values()]
    beside = max([0, *suffered]) * _ROW  # room for the impairments that hang out of the rows of nodes
    where = {name: _centre(place, _DOWN + 3 * beside) for name, place in places(topology).items()}
    width = max(x for x, _ in where.values()) + _WIDTH // 2 + _MARGIN
    height = max(y for _, y in where.values()) + _HEIGHT // 2 + _MARGIN + 2 * beside
    lines = [_link(topology, one, two, where) for one, two in topology.pairs]
    boxes = [_node(topology, name, centre) for name, centre in where.items()]
    name = escape(topology.name)
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" class="topo" role="img" viewBox="0 {-beside} {width} {height}"'
            f' width="{width}" height="{height}" style="max-width: 100%; height: auto"'
            f' aria-labelledby="topo-{name}-title topo-{name}-desc">',
            f'<title id="topo-{name}-title">Topology {name}</title>',
            f'<desc id="topo-{name}-desc">{escape(description)}</desc>',
            f"<style>{_STYLE}</style>",
            *lines,
            *boxes,
            "</svg>\n",
        ]
    )


def _centre(place: Place, down: int) -> Point:
    return _MARGIN + place.column * _ACROSS + _WIDTH // 2, int(_MARGIN + place.row * down + _HEIGHT // 2)


def _node(topology: Topology, name: str, centre: Point) -> str:
    spec = topology.nodes[name]
    x, y = centre
    corner = {"router": _HEIGHT // 2, "nat": 0, "firewall": 0}.get(spec.kind, 8)
    kind = f"{spec.kind}, one of {len(topology.counted)}" if name in topology.counted else spec.kind
    rows = [("topo-name", name), ("topo-small", kind)] if spec.nat is None else _nat_rows(name, spec.nat)
    first = y + 4 - (len(rows) - 1) * 8
    text = "".join(
        f'<text x="{x}" y="{first + number * 16}" text-anchor="middle" class="{kind}">{escape(words)}</text>'
        for number, (kind, words) in enumerate(rows)
    )
    box = f'<rect x="{x - _WIDTH // 2}" y="{y - _HEIGHT // 2}" width="{_WIDTH}" height="{_HEIGHT}" rx="{corner}"/>'
    return f'<g class="topo-{spec.kind}">{box}{text}</g>'


def _nat_rows(name: str, nat: Nat) -> list[tuple[str, str]]:
    rows = [("topo-name", name), ("topo-small", f"NAT, {_port_words(nat)}")]
    if nat.forwards:
        ports = ", ".join(str(port) for forward in nat.forwards for port in forward.ports)
        rows.append(("topo-small", f"forwards {ports}"))
    return rows


def _port_words(nat: Nat) -> str:
    words = {"preserve": "keeps ports", "random": "random ports"}
    return "fixed ports" if nat.remap else words.get(nat.ports, nat.ports)


def _link(topology: Topology, one: Attachment, two: Attachment, where: dict[str, Point]) -> str:
    """A line with what is at its left end above it and what is at its right end below it.

    A line that falls has them the other way round: where lines fan out from a node, its labels stay outside the fan.
    """
    if where[one.node] > where[two.node]:
        one, two = two, one
    start, end = where[one.node], where[two.node]
    line = f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}"/>'
    falls = end[1] > start[1]
    left = _label(topology, one, (start, end), start[0] + _WIDTH // 2 + 5, above=not falls)
    right = _label(topology, two, (start, end), end[0] - _WIDTH // 2 - 5, above=falls)
    return f"<g><title>{escape(one.link)}</title>{line}{left}{right}</g>"


def _label(topology: Topology, end: Attachment, line: tuple[Point, Point], x: int, *, above: bool) -> str:
    """Address, interface and impairments of a link end, from the line outward, clear of the line where it slants."""
    (x1, y1), (x2, y2) = line
    anchor = "start" if x < (x1 + x2) / 2 else "end"
    rows = [("topo-address", end.address() or end.address(6) or ""), ("topo-small", end.interface)]
    impairment = topology.links[end.link].impair.get(end.node)
    rows += [("topo-small", word) for word in impairment_words(impairment)] if impairment else []
    inner = x + (_LETTER if anchor == "start" else -_LETTER) * max(len(words) for _, words in rows)
    heights = [y1 + (y2 - y1) * (place - x1) / max(1, x2 - x1) for place in (x, inner)]
    first, step = (min(heights) - 7, -_ROW) if above else (max(heights) + 16, _ROW)
    return "".join(
        f'<text x="{x}" y="{first + number * step:.0f}" text-anchor="{anchor}" class="{kind}">{escape(words)}</text>'
        for number, (kind, words) in enumerate(rows)
    )


def impairment_words(impairment: Impairment) -> list[str]:
    """What a direction suffers, a few words each: `20ms`, `loss 1%`, `10mbit`, `MTU 1400`."""
    words = [impairment.delay, impairment.jitter and f"jitter {impairment.jitter}"]
    words += [impairment.loss and f"loss {impairment.loss}", _burst_words(impairment.bursts)]
    words += [f"{key} {share}" for key in ("reorder", "duplicate", "corrupt") if (share := getattr(impairment, key))]
    words.append(impairment.rate)
    words.append(f"MTU {impairment.mtu}" if impairment.mtu else None)
    return [word for word in words if word]


def _burst_words(bursts: Bursts | None) -> str:
    """How often a burst of losses begins, and how often it ends: `bursts 1%/25%`."""
    return f"bursts {bursts.begin}/{bursts.end}" if bursts else ""


def _describe(topology: Topology) -> str:
    links = [
        f"{one.node} {one.interface} {', '.join(one.end.addresses)} to "
        f"{two.node} {two.interface} {', '.join(two.end.addresses)}"
        for one, two in topology.pairs
    ]
    nodes = [
        f"{name} is a {spec.kind}" if spec.nat is None else f"{name} is a NAT box ({_port_words(spec.nat)})"
        for name, spec in topology.nodes.items()
    ]
    return f"{topology.description}. Nodes: {'; '.join(nodes)}. Links: {'; '.join(links)}."


# -- text for other tools

_DOT_SHAPES = {"gateway": "box", "host": "box", "nat": "cds", "firewall": "octagon", "router": "ellipse"}
_MERMAID_SHAPES = {
    "gateway": ("[", "]"),
    "host": ("(", ")"),
    "nat": ("{{", "}}"),
    "firewall": ("[[", "]]"),
    "router": ("([", "])"),
}


def dot(topology: Topology) -> str:
    """The topology for Graphviz."""
    lines = [f'graph "{topology.name}" {{', "  rankdir=LR"]
    for name, spec in topology.nodes.items():
        lines.append(f'  "{name}" [shape={_DOT_SHAPES[spec.kind]}, label="{name}\\n{spec.kind}"]')
    for one, two in topology.pairs:
        tail, head = (f"{end.interface} {', '.join(end.end.addresses)}" for end in (one, two))
        lines.append(f'  "{one.node}" -- "{two.node}" [label="{one.link}", taillabel="{tail}", headlabel="{head}"]')
    return "\n".join([*lines, "}", ""])


def mermaid(topology: Topology) -> str:
    """The topology for Mermaid."""
    lines = ["graph LR"]
    for name, spec in topology.nodes.items():
        start, end = _MERMAID_SHAPES[spec.kind]
        lines.append(f'  {name}{start}"{name}<br>{spec.kind}"{end}')
    for one, two in topology.pairs:
        lines.append(f'  {one.node} ---|"{one.end.addresses[0]} - {two.end.addresses[0]}"| {two.node}')
    return "\n".join([*lines, ""])
