"""Drawings: well-formed, complete in text, self-contained, and nothing on top of anything else."""

import itertools
import re
from xml.etree import ElementTree

import pytest

from lab.emulation import graph, layout, topology
from lab.emulation.topology import Topology

SVG = "{http://www.w3.org/2000/svg}"
STAR = """\
description: three <branches> of one router & one further node
nodes:
  hub: {kind: router}
  a: {kind: gateway, default_route: hub}
  b: {kind: gateway, default_route: hub}
  c: {kind: nat, default_route: hub, nat: {outside: up, ports: random}}
  far: {kind: host, default_route: c}
links:
  hub-a: {ends: {hub: {interface: a, addresses: [192.0.2.1/30]}, a: {interface: wan, addresses: [192.0.2.2/30]}}}
  hub-b: {ends: {hub: {interface: b, addresses: [192.0.2.5/30]}, b: {interface: wan, addresses: [192.0.2.6/30]}}}
  hub-c:
    ends: {hub: {interface: c, addresses: [192.0.2.9/30]}, c: {interface: up, addresses: [192.0.2.10/30]}}
    impair: {c: {delay: 20ms, rate: 1mbit}, hub: {loss: 5%, mtu: 1300}}
  c-far: {ends: {c: {interface: lan, addresses: ["fd00::1/64"]}, far: {interface: lan, addresses: ["fd00::2/64"]}}}
"""
ALL = [topology.load(name) for name in topology.names()] + [topology.parse(STAR, "star.yaml")]


@pytest.fixture(params=ALL, ids=lambda drawn: drawn.name)
def drawn(request: pytest.FixtureRequest) -> Topology:
    found: Topology = request.param
    return found


def test_places_of_a_chain_and_a_star() -> None:
    chain = layout.places(topology.load("nat-both"))
    assert [place.column for place in chain.values()] == list(range(7)), "in the order of the file, left to right"
    assert {place.row for place in chain.values()} == {0}
    star = layout.places(ALL[-1])
    assert [star[node].column for node in ("a", "hub", "b", "c", "far")] == [0, 1, 2, 2, 3]
    assert star["b"].row != star["c"].row and star["hub"].row == 0.5


def test_the_svg_says_everything_in_text(drawn: Topology) -> None:
    root = ElementTree.fromstring(graph.svg(drawn))
    words = [element.text or "" for element in root.iter(f"{SVG}text")]
    shown = drawn.with_one_client()
    for name in shown.nodes:
        assert name in words
    if drawn.counted:
        assert f"gateway, one of {len(drawn.counted)}" in words
    for end in shown.attachments:
        assert end.interface in words and (end.address(4) or end.address(6)) in words
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None and desc is not None and desc.text is not None and drawn.name in (title.text or "")
    assert all(address in desc.text for end in drawn.attachments for address in end.end.addresses)
    assert root.get("role") == "img" and root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"


def test_impairments_and_nat_are_written_out() -> None:
    star = graph.svg(ALL[-1])
    for words in (">20ms<", ">1mbit<", ">loss 5%<", ">MTU 1300<", "NAT, random ports", "three &lt;branches&gt;"):
        assert words in star
    assert "forwards 500, 4500" in graph.svg(topology.load("nat-both"))


def test_nothing_is_fetched_and_no_name_leaks(drawn: Topology) -> None:
    text = graph.svg(drawn)
    assert not re.search(r"<script|href|url\(|@import|javascript:", text)
    assert set(re.findall(r"https?://[^\"]*", text)) == {"http://www.w3.org/2000/svg"}
    style = re.search(r"<style>(.*?)</style>", text, re.S)
    assert style is not None
    assert all(re.match(r"(svg)?\.topo\b", rule.strip()) for rule in re.findall(r"([^{}]+)\{", style[1]))
    colours = re.findall(r"(?:fill|stroke|background): (light-dark|#)", style[1])
    assert colours and colours[::2] == ["#"] * (len(colours) // 2), "each light-dark() colour has a fallback before it"


def test_nothing_overlaps(drawn: Topology) -> None:
    root = ElementTree.fromstring(graph.svg(drawn))
    _, top, width, height = map(float, (root.get("viewBox") or "").split())
    boxes = [
        tuple(float(box.get(key) or 0) for key in ("x", "y", "width", "height")) for box in root.iter(f"{SVG}rect")
    ] + [_text_box(text) for text in root.iter(f"{SVG}text") if text.get("text-anchor") != "middle"]
    for x, y, wide, high in boxes:
        assert x >= 0 and x + wide <= width and y >= top and y + high <= top + height, "inside the picture"
    for (x1, y1, w1, h1), (x2, y2, w2, h2) in itertools.combinations(boxes, 2):
        assert x1 + w1 <= x2 or x2 + w2 <= x1 or y1 + h1 <= y2 or y2 + h2 <= y1


def _text_box(text: ElementTree.Element) -> tuple[float, float, float, float]:
    """A cautious guess at the size of a text of 11 pixels."""
    wide = len(text.text or "") * 6.7
    x, y = float(text.get("x") or 0), float(text.get("y") or 0)
    return (x if text.get("text-anchor") == "start" else x - wide), y - 9, wide, 11


def test_graphviz_and_mermaid(drawn: Topology) -> None:
    dot, mermaid = graph.dot(drawn), graph.mermaid(drawn)
    assert dot.startswith(f'graph "{drawn.name}" {{') and dot.count("{") == dot.count("}")
    assert dot.count(" -- ") == mermaid.count(" ---|") == len(drawn.links)
    for name in drawn.nodes:
        assert f'"{name}" [shape=' in dot and f'"{name}<br>' in mermaid
