"""wire.pcapng: the capture as it was, with a one-line decode on each packet and the ESP keys in front.

The keys are a decryption-secrets block of type ESPS (draft-ietf-opsawg-pcapng), which must come before the packets
that it serves. There is no such type for IKE: that is what the profile directory is for.
"""

from collections.abc import Sequence
from io import BytesIO

from lab.evidence import wireshark
from lab.evidence.scene import Scene
from lab.wire.pcapng import Packet, PcapngWriter, Secrets

WARNING = "LAB ONLY: the keys in this file belong to a test run."


def encode(scene: Scene, secrets: Sequence[str]) -> bytes:
    """The octets of wire.pcapng; `secrets` are the rows of the secrets block."""
    out = BytesIO()
    writer = PcapngWriter(out.write, application="ikelab", comment=WARNING)
    points = {
        (frame.point, frame.link_type): number
        for number, frame in enumerate({(f.point, f.link_type): f for f in scene.frames}.values())
    }
    for point, link_type in points:
        writer.interface(point, link_type)
    if secrets:
        writer.secrets(Secrets(wireshark.SECRETS_TYPE, "".join(f"{row}\n" for row in secrets).encode()))
    for index, frame in enumerate(scene.frames):
        number, note = points[frame.point, frame.link_type], scene.comments.get(index, "")
        writer.packet(Packet(frame.time_ns, number, frame.data, note, frame.direction, frame.length))
    return out.getvalue()
