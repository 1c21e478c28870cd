"""The programs of peers.d/libreswan.toml: what they make of a configuration, of pluto's log, of the kernel's words."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

HERE = Path(__file__).parent
PROGRAMS = HERE.parents[1] / "peers.d" / "libreswan"


def program(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"libreswan_{name}", PROGRAMS / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


configure, kernel, pluto = program("configure"), program("kernel"), program("pluto")

CHILD = {"local_ts": ["10.1.0.0/24"], "remote_ts": ["10.2.0.0/24"], "esp_proposals": ["aes256gcm16-x25519"]}
CONNECTION = {
    "version": "2",
    "local_addrs": ["203.0.113.2"],
    "remote_addrs": ["%any"],
    "proposals": ["aes128-sha256-ecp256"],
    "encap": "yes",
    "local": {"auth": "psk", "id": "left.lab"},
    "remote": {"auth": "psk", "id": "192.0.2.1"},
    "children": {"net": CHILD},
}


def translated(place: Path, **changes: object) -> dict[str, str]:
    told = {"connections": {"gw": CONNECTION | changes}, "secrets": {"ike": {"id-1": "left.lab", "secret": "lab only"}}}
    (place / "connection.json").write_text(json.dumps(told))
    configure.main(place, place)
    return {name: (place / name).read_text() for name in ("ipsec.conf", "ipsec.secrets", "names")}


def test_a_connection_is_translated_line_by_line(tmp_path: Path) -> None:
    found = translated(tmp_path)
    lines = [line.strip() for line in found["ipsec.conf"].partition("conn gw-net\n")[2].splitlines()]
    assert {"leftid=@left.lab", "rightid=192.0.2.1", "encapsulation=yes", "right=%any"} < set(lines)
    assert {"ike=aes_cbc_128-sha2_256-dh19", "esp=aes_gcm_16_256-none-dh31", "pfs=yes", "esn=no"} < set(lines)
    assert found["ipsec.secrets"] == '@left.lab : PSK "lab only"\n'
    assert found["names"] == "gw-net gw net\n"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vips": ["0.0.0.0"]}, "vips of a connection is not translated"),
        ({"version": "1"}, "version = 1"),
        ({"proposals": ["aes256-sha256-modp1024"]}, "modp1024 of the proposal"),
        ({"local": {"auth": "pubkey", "id": "left.lab"}}, "auth of local = pubkey"),
        ({"children": {"net": CHILD | {"local_ts": ["10.1.0.0/24", "10.3.0.0/24"]}}}, "only one of 10.1.0.0/24"),
        ({"children": {"net": CHILD | {"start_action": "trap"}}}, "start_action of a child"),
    ],
)
def test_what_is_not_translated_is_named(tmp_path: Path, changes: dict[str, object], words: str) -> None:
    with pytest.raises(configure.Unsupported, match=words):
        translated(tmp_path, **changes)


def test_the_kernel_s_sas_with_their_keys() -> None:
    found = {one["spi"]: one for one in kernel.states((HERE / "xfrm-state.txt").read_text())}
    assert set(found) == {"217cee30", "578b6664", "00000100"}
    gcm = found["217cee30"]
    assert (gcm["src"], gcm["dst"], gcm["mode"], gcm["esn"]) == ("10.0.0.1", "10.0.0.2", "TUNNEL", True)
    assert (gcm["encr"], gcm["encr_key_length"], gcm["salt"]) == ("ENCR_AES_GCM_16", 256, "42de30aa")
    cbc = found["00000100"]
    assert (cbc["encr"], cbc["encr_key_length"], cbc["integ"]) == ("ENCR_AES_CBC", 128, "AUTH_HMAC_SHA2_256_128")
    assert (cbc["encap"], cbc["bytes"], cbc["packets"]) == (True, 84, 1)


def test_ike_sas_of_a_log_have_their_own_spis_and_keys() -> None:
    found = pluto.ike_sas((HERE / "pluto-5.2-rekeyed.log").read_text().splitlines())
    first, second = found.values()
    assert (first["role"], second["role"]) == ("responder", "initiator")
    assert first["spi_i"] != second["spi_i"] and first["keys"]["SK_ei"] != second["keys"]["SK_ei"]
    for sa in (first, second):
        assert (sa["encr"], sa["encr_key_length"], sa["integ"]) == ("ENCR_AES_GCM_16", 256, None)
        assert (sa["prf"], sa["ke"], sa["nat_local"], sa["nat_remote"]) == (
            "PRF_HMAC_SHA2_384", "CURVE25519", False, False,
        )  # fmt: skip
        assert [len(sa["keys"][name]) for name in ("SK_ei", "SK_er", "SK_ai")] == [72, 72, 0]


def test_a_log_that_was_cut_anywhere_is_no_traceback() -> None:
    lines = (HERE / "pluto-5.2-rekeyed.log").read_text().splitlines()
    for end in range(len(lines)):
        pluto.ike_sas(lines[:end])
        pluto.ike_sas([*lines[end:], lines[end][: len(lines[end]) // 2]])


@pytest.mark.parametrize(
    ("suite", "encr", "bits"),
    [
        (("AES_CBC", "128", "HMAC_SHA2_256_128", "HMAC_SHA2_256", "19"), "ENCR_AES_CBC", 128),
        (("CHACHA20_POLY1305", None, "n/a", "HMAC_SHA2_256", "31"), "ENCR_CHACHA20_POLY1305", 256),
    ],
)
def test_names_of_algorithms(suite: tuple[str, ...], encr: str, bits: int) -> None:
    found = pluto._suite(*suite)
    assert (found["encr"], found["encr_key_length"]) == (encr, bits)


def test_no_state_of_whack_is_lost() -> None:
    sys.path.insert(0, str(PROGRAMS))
    try:
        sas = program("sas")
    finally:
        sys.path.remove(str(PROGRAMS))
    shown = [
        '#1: "gw-net"[1] 10.0.0.1:500 ESTABLISHED_IKE_SA (established IKE SA); REKEY in 28s; newest; idle;',
        '#2: "gw-net"[1] 10.0.0.1:500 ESTABLISHED_CHILD_SA (established Child SA); newest; IKE SA #1; idle;',
        '#2: "gw-net"[1] 10.0.0.1 esp.217cee30@10.0.0.2 esp.578b6664@10.0.0.1 tun.0@10.0.0.2 tun.0@10.0.0.1 Traffic: x',
    ]
    states = {one["spi"]: one for one in kernel.states((HERE / "xfrm-state.txt").read_text())}
    known = {"1": {"spi_i": "01", "spi_r": "02", "role": "initiator", "keys": {}}}
    (view,) = sas.views(shown, known, states, {"gw": CONNECTION}, {"gw-net": ("gw", "net")})
    (child,) = view["children"]
    assert (view["state"], view["local_host"], view["spi_i"], "keys" in view) == (
        "ESTABLISHED",
        "10.0.0.1",
        "01",
        False,
    )
    assert (child["spi_in"], child["spi_out"], child["state"]) == ("578b6664", "217cee30", "INSTALLED")
