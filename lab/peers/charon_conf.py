"""strongswan.conf for one charon in one node.

Rules: the plugins are listed by name, because an auto-loaded kernel-libipsec or an attr-sql would change what is
tested; everything the daemon writes goes to its private /run; logs carry what `charon_log` relies on. The settings
that a scenario sets in `ikelab { }` are written here under strongSwan's own names.
"""

from lab.errors import ConfigError
from lab.ike.swanctl import Section, Value, parse, render

# `openssl` brings AES, ChaCha20-Poly1305, SHA-2, HMAC, X25519, ECP and MODP; the rest is what it lacks.
PLUGINS = (
    "random nonce openssl aes sha1 sha2 md5 hmac kdf gmp curve25519 gcm ctr ccm cmac xcbc chapoly pem pkcs1 pkcs8 x509 "
    "pubkey constraints revocation kernel-netlink socket-default vici updown resolve eap-identity eap-mschapv2 eap-md5 "
    "eap-tls eap-ttls xauth-generic counters"
)
# ikelab setting -> charon setting
SETTINGS = {
    "retransmit_timeout": "retransmit_timeout",
    "retransmit_base": "retransmit_base",
    "retransmit_tries": "retransmit_tries",
    "keep_alive": "keep_alive",
    "fragment_size": "fragment_size",
    "follow_redirects": "follow_redirects",
    "cookie_threshold": "cookie_threshold",
    "block_threshold": "block_threshold",
    "half_open_timeout": "half_open_timeout",
    "dos_protection": "dos_protection",
    "signature_authentication": "signature_authentication",
    "tls_version_min": "tls.version_min",
    "tls_version_max": "tls.version_max",
}
# Where the private /run shows these files inside the daemon's mount namespace.
SOCKET, LOG, CONF, RESOLV = "charon.vici", "charon.log", "strongswan.conf", "resolv.conf"

_TEMPLATE = f"""
load = {PLUGINS}
plugins {{
    vici {{
        socket = unix:///run/{SOCKET}
    }}
    eap-ttls {{
        phase2_method = mschapv2
    }}
    resolve {{
        file = /run/{RESOLV}
    }}
}}
filelog {{
    main {{
        path = /run/{LOG}
        time_format = %Y-%m-%dT%H:%M:%S
        time_add_ms = yes
        append = no
        flush_line = yes
        ike_name = yes
        default = 1
        ike = 4
        chd = 4
        knl = 2
        mgr = 2
    }}
}}
"""


def strongswan_conf(tree: Section, binary: str) -> str:
    """The text for a daemon whose section is named like its binary (`charon`, `charon-systemd`)."""
    body = parse(_TEMPLATE)
    for key, value in tree.sections.get("ikelab", Section()).values.items():
        if key not in SETTINGS:
            raise ConfigError(f"strongSwan has no setting for ikelab.{key}", line=value.line, key=key)
        *sections, name = SETTINGS[key].split(".")
        place = body
        for section in sections:
            place = place.sections.setdefault(section, Section(section))
        place.values[name] = Value(value.text, value.line)
    if any(c.values.get("aggressive") for c in tree.sections.get("connections", Section()).sections.values()):
        # Without it charon answers nobody in Aggressive Mode with a pre-shared key.
        body.values["i_dont_care_about_security_and_use_aggressive_mode_psk"] = Value("yes", 0)
    body.name = binary
    return render(Section(sections={binary: body}))
