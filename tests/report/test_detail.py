from lab.report import detail


def test_a_tree_keeps_places_values_and_sections() -> None:
    found = detail.read([
        {"n": 3, "raw": "0001", "plain": "ff", "tree": [
            {"name": "SK", "value": "", "at": [28, 9], "of": "raw", "rfc": "7296 3.14", "children": [
                {"name": "Length", "value": 9, "at": [30, 2]},
                {"name": "IDi", "at": [0, 8], "of": "plain", "children": [{"name": "Data", "at": [4, 4]}]},
            ]},
        ]},
    ])[3]  # fmt: skip
    (sealed,) = found.tree
    assert (sealed.name, sealed.offset, sealed.length, sealed.rfc, sealed.wraps) == ("SK", 28, 9, "rfc7296:3.14", True)
    length, identity = sealed.children
    assert (length.value, length.of) == ("9", "raw")
    assert (identity.of, identity.children[0].of, identity.wraps) == ("plain", "plain", False)
    assert [(view.of, view.octets, view.cut) for view in found.views] == [("plain", b"\xff", 0), ("raw", b"\0\1", 0)]


def test_a_retransmission_points_at_its_original() -> None:
    assert detail.read([{"n": 0, "raw": "00"}, {"n": 1, "same_as": 0}])[1].same_as == 0


def test_everything_has_bounds() -> None:
    deep: dict[str, object] = {"name": "end"}
    for _ in range(200):
        deep = {"name": "x", "children": [deep]}
    wide = {"name": "y", "children": [{"name": "z", "value": "long " * 999}] * 9999}
    found = detail.read([{"n": 0, "raw": "00" * 100_000, "tree": [deep, wide]}])[0]

    def nodes(node: detail.Node) -> list[detail.Node]:
        return [node] + [inner for child in node.children for inner in nodes(child)]

    everything = [inner for node in found.tree for inner in nodes(node)]
    assert len(everything) == detail.MOST_NODES
    assert max(len(node.value) for node in everything) == detail.LONGEST + 3
    assert (len(found.views[0].octets), found.views[0].cut) == (detail.MOST_OCTETS, 100_000 - detail.MOST_OCTETS)


def test_nonsense_gives_an_empty_detail() -> None:
    found = detail.read([{"raw": "xyz", "tree": [7, {"at": [1]}, {"at": [-1, 2]}, {"at": ["a", None]}]}])[0]
    assert found.views == () and [node.offset for node in found.tree] == [None, None, None]
    assert detail.read(None) == detail.read({}) == detail.read([1, "x"]) == {}


def test_the_hex_view_has_fixed_columns() -> None:
    lines = detail.dump(bytes(range(0x3A, 0x3A + 18))).split("\n")
    assert lines == [
        "0000  3a 3b 3c 3d 3e 3f 40 41 42 43 44 45 46 47 48 49  :;<=>?@ABCDEFGHI",
        "0010  4a 4b                                            JK",
    ]
