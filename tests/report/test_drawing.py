import pytest

from lab.report import drawing

NS = 'xmlns="http://www.w3.org/2000/svg"'


def test_shapes_words_and_looks_are_kept() -> None:
    inner = '<g fill="none"><path d="M0 0h9" stroke-width="2"/></g><text x="1">a &amp; b</text>'
    assert drawing.inline(f'<svg {NS} viewBox="0 0 9 9">{inner}</svg>') == f'<svg viewBox="0 0 9 9">{inner}</svg>'


def test_references_stay_inside_and_get_a_prefix() -> None:
    source = '<marker id="m"/><path marker-end="url(#m)" fill="url(http://x/#m)"/><use href="#m"/><use href="x#m"/>'
    assert drawing.inline(f"<svg {NS}>{source}</svg>") == (
        '<svg><marker id="drawing-m"/><path marker-end="url(#drawing-m)"/><use href="#drawing-m"/><use/></svg>'
    )
    assert drawing.inline(f'<svg {NS} aria-labelledby="a b"/>') == '<svg aria-labelledby="drawing-a drawing-b"/>'


@pytest.mark.parametrize(
    "source",
    [
        "", "no svg", "<html/>", "<svg", f"<!DOCTYPE svg><svg {NS}/>",
        f'<!DOCTYPE s [<!ENTITY a "b">]><svg {NS}>&a;</svg>', f"<svg {NS}>" + " " * drawing.LARGEST + "</svg>",
    ],
)  # fmt: skip
def test_what_is_no_plain_svg_is_refused(source: str) -> None:
    assert drawing.inline(source) is None


def test_depth_has_an_end() -> None:
    source = f"<svg {NS}>" + "<g>" * 500 + "<text>deep</text>" + "</g>" * 500 + "</svg>"
    assert "deep" not in (drawing.inline(source) or "deep")
