"""swanctl.conf text to tree and back."""

import pytest

from lab.errors import ConfigError
from lab.ike.swanctl import Section, mirror, parse, render

TEXT = """
# a tunnel
connections {
    net {   # trailing comment
        version = 2
        local_addrs = 192.0.2.1 , 2001:db8::1
        remote_addrs=198.51.100.1
        local { auth = psk
            id = "left gw # not a comment" }
        remote-1 { auth = psk }
        children {
            local { local_ts = 10.1.0.0/24
                remote_ts = 10.2.0.0/24 }
        }
    }
}
secrets { ike-1 { secret = "a\\"b\\\\c
d" } }
"""


def test_values_sections_and_lines() -> None:
    net = parse(TEXT).sections["connections"].sections["net"]
    assert net.values["version"].text == "2"
    assert net.values["version"].line == 5
    assert net.line == 4
    assert net.values["local_addrs"].items == ["192.0.2.1", "2001:db8::1"]
    assert net.sections["local"].get("auth") == "psk"
    assert net.sections["local"].get("id") == "left gw # not a comment"
    assert net.sections["local"].get("none", "default") == "default"


def test_quoted_value_keeps_escapes_and_lines() -> None:
    tree = parse(TEXT + "\nlast = 1\n")
    assert tree.sections["secrets"].sections["ike-1"].get("secret") == 'a"b\\c\nd'
    assert tree.values["last"].line == 20


def test_the_values_of_a_pool_are_lists_for_vici() -> None:
    text = "pools { lab { addrs = 10.3.0.0/24\n dns = 10.3.0.53\n subnet = 10.1.0.0/16, 10.2.0.0/16\n } }"
    pool = {"addrs": "10.3.0.0/24", "dns": ["10.3.0.53"], "subnet": ["10.1.0.0/16", "10.2.0.0/16"]}
    assert parse(text).plain() == {"pools": {"lab": pool}}


def test_plain_is_what_vici_takes() -> None:
    assert parse("a { proposals = x, y\n b = 1, 2\n c { } }").plain() == {
        "a": {"proposals": ["x", "y"], "b": "1, 2", "c": {}}
    }


def test_a_section_written_twice_is_merged() -> None:
    tree = parse("a { x = 1\n y = 1 }\na { x = 2 }")
    assert tree.plain() == {"a": {"x": "2", "y": "1"}}


def test_render_reads_back_the_same() -> None:
    tree = parse(TEXT)
    assert parse(render(tree)).plain() == tree.plain()


@pytest.mark.parametrize("value", ["", "a b", 'q"q', "x # y", "{", "}", "a\nb", " lead", "back\\slash", "tab\tx"])
def test_render_quotes_what_needs_it(value: str) -> None:
    tree = parse(f"a = {render_value(value)}")
    assert parse(render(tree)).get("a") == value


def render_value(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def test_mirror_swaps_sides_and_keeps_names() -> None:
    there = mirror(parse(TEXT)).sections["connections"].sections["net"]
    assert there.get("remote_addrs") == "192.0.2.1 , 2001:db8::1"
    assert there.get("local_addrs") == "198.51.100.1"
    assert there.sections["remote"].get("id") == "left gw # not a comment"
    assert "local-1" in there.sections
    child = there.sections["children"].sections["local"]
    assert (child.get("local_ts"), child.get("remote_ts")) == ("10.2.0.0/24", "10.1.0.0/24")


def test_mirror_twice_is_the_original_and_the_argument_stays() -> None:
    tree = parse(TEXT)
    before = tree.plain()
    assert mirror(mirror(tree)).plain() == before
    assert tree.plain() == before


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("a {\n b = 1\n", 3, "never closed"),
        ("\n}\n", 2, "expected a key"),
        ("a\nb = 1\n", 1, "expected '=' or '{'"),
        ("a = {\n", 1, "quotes"),
        ('a = "x\n\n', 1, "never closed"),
        ("\ninclude other.conf\n", 2, "include"),
        ("a : b { }", 1, "references"),
        ('"a" = 1', 1, "unexpected"),
    ],
)
def test_mistakes_name_file_and_line(text: str, line: int, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "x.conf")
    assert (caught.value.file, caught.value.line) == ("x.conf", line)
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"x.conf:{line}: ")


def test_error_names_the_line_of_the_key() -> None:
    section = parse("a {\n b = 1\n}", "x.conf").sections["a"]
    assert isinstance(section, Section)
    assert str(section.error("is wrong", "b")) == "x.conf:2: b: is wrong"
    assert str(section.error("is wrong")) == "x.conf:1: a: is wrong"


@pytest.mark.parametrize("depth", [21, 100000])
def test_sections_too_deep_in_each_other_are_a_mistake_with_its_line(depth: int) -> None:
    with pytest.raises(ConfigError, match="20 deep") as caught:
        parse("a {\n" * depth + "}\n" * depth, "x.conf")
    assert caught.value.line == 21
    parse("a {\n" * 20 + "}\n" * 20)


def test_octets_that_are_no_text_are_no_trouble() -> None:
    assert parse("a { \0 = \0\x1b }").sections["a"].values["\0"].text == "\0\x1b"
