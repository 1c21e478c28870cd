"""What charon is told over vici: the files of a configuration travel as data."""

import pytest

from lab.errors import ConfigError
from lab.ike.swanctl import parse
from lab.peers.charon_load import loads

TEXT = """
connections { gw {
    local-1 { auth = pubkey
        certs = own.pem
    }
    remote { auth = pubkey
        cacerts = ca.pem, two.pem
    }
} }
pools {
    lab { addrs = 10.3.0.0/24
        dns = 10.3.0.53
    }
}
secrets {
    ike-1 { id-a = left
        secret = s
    }
    eap-1 { id = carol
        secret = p
    }
    private-own { file = own.key
    }
}
authorities {
    lab { cacert = ca.pem
        crl_uris = crl.pem
    }
    other { cacert = two.pem
    }
}
"""
FILES = {"own.pem": b"OWN", "own.key": b"KEY", "ca.pem": b"CA", "two.pem": b"TWO", "crl.pem": b"CRL"}


def test_commands_in_order() -> None:
    assert list(loads(parse(TEXT), FILES)) == [
        ("load-shared", {"id": "ike-1", "type": "IKE", "data": b"s", "owners": ["left"]}),
        ("load-shared", {"id": "eap-1", "type": "EAP", "data": b"p", "owners": ["carol"]}),
        ("load-key", {"type": "any", "data": b"KEY"}),
        ("load-cert", {"type": "X509", "flag": "CA", "data": b"CA"}),
        ("load-cert", {"type": "X509_CRL", "flag": "NONE", "data": b"CRL"}),
        ("load-cert", {"type": "X509", "flag": "CA", "data": b"TWO"}),
        ("load-pool", {"lab": {"addrs": "10.3.0.0/24", "dns": ["10.3.0.53"]}}),
        (
            "load-conn",
            {
                "gw": {
                    "local-1": {"auth": "pubkey", "certs": [b"OWN"]},
                    "remote": {"auth": "pubkey", "cacerts": [b"CA", b"TWO"]},
                }
            },
        ),
    ]


@pytest.mark.parametrize("missing", FILES)
def test_a_file_that_is_not_given(missing: str) -> None:
    files = {name: data for name, data in FILES.items() if name != missing}
    with pytest.raises(ConfigError, match=missing):
        list(loads(parse(TEXT), files))


@pytest.mark.parametrize(("text", "octets"), [("0x00ff", b"\x00\xff"), ("0sAP8=", b"\x00\xff"), ("word", b"word")])
def test_secrets_are_loaded_as_octets(text: str, octets: bytes) -> None:
    tree = parse(f"secrets {{\n ppk-lab {{\n id = lab.ppk\n secret = {text}\n }}\n}}")
    (command,) = loads(tree, {})
    assert command == ("load-shared", {"id": "ppk-lab", "type": "PPK", "data": octets, "owners": ["lab.ppk"]})
