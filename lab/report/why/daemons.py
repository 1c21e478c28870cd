"""What daemons log as their reasons: ours in words already, charon by a table of its sentences.

Rules of this file: a line that is not known is passed over; what is found is quoted by file and line. Charon's words
are those of 5.9 to 6.1. A row is a pattern and what it means; add a row for a sentence that you miss.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from lab.report.facts import legible
from lab.report.why.finding import Finding

MOST_OCTETS = 8_000_000
GAVE_UP = "gave up"
_OURS = re.compile(r"(?P<t>\d+\.\d+) (?P<kind>\w+) (?P<text>.*?)(?:  [a-z_]+=.*)?")
# What the peer refused is on the wire and no reason of ours; the line says what we had offered or claimed.
_REFUSED = "peer refuses "
# Ours: a failure in words; a refusal with its notify; a datagram that was dropped, with the reason.
_OUR_REFUSAL = re.compile(r"\S.* refused with \w+: (?P<why>.+)")
_CHARON = re.compile(r"(?P<t>\d{4}-\d\d-\d\dT\S+) \d+\[[A-Z]{3}\] (?:<[^>]*> )?(?P<text>.*)")
MEANINGS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), words)
    for pattern, words in (
        (r"received proposals: (.+)", "was offered {0}"),
        (r"configured proposals: (.+)", "allows {0}"),
        (r"no IKE config found for (\S+)\.\.\.(\S+?), sending (\w+)", "has no connection between {0} and {1}"),
        (r"no matching peer config found", "has no connection for these identities and means of authentication"),
        (r"no alternative config found", "has no other connection that would fit"),
        (r"tried (\d+) shared keys? for '(.+)' - '(.+)', but MAC mismatched",
         "holds another pre-shared key for {2}: its AUTH does not verify"),
        (r"no shared key found for '(.+)' - '(.+)'", "holds no pre-shared key for {0} and {1}"),
        (r"no shared key found for (\S+) - (\S+)", "holds no pre-shared key for {0} and {1}"),
        (r"no (?:private|shared) key found for '(.+)'", "holds no key of its own for {0}"),
        (r"no trusted (.*)public key found for '(.+)'", "trusts no {0}key of {1}"),
        (r"no issuer certificate found for \"(.+)\"", "does not have the CA that issued the certificate of {0}"),
        (r"signature validation failed, looking for another key", "finds that AUTH was not signed with that key"),
        (r"subject certificate invalid \(valid from (.+) to (.+)\)", "finds the certificate valid from {0} to {1}"),
        (r"certificate was revoked on (.+?), reason: (.+)", "finds the certificate revoked on {0} ({1})"),
        (r"constraint check failed: (.+)", "does not accept how the peer proved itself: {0}"),
        (r"IDir '(.+)' does not match to '(.+)'", "wanted to talk to {1}, and {0} answered"),
        (r"traffic selectors (.+) === (.+) unacceptable", "allows nothing of {1} to {0}"),
        (r"no acceptable traffic selectors found", "allows none of the traffic selectors"),
        (r"EAP method (\S+) failed for peer (.+)", "did not let {1} in by {0}"),
        (r"EAP-MS-CHAPv2 verification failed.*", "finds that the password is wrong (EAP-MSCHAPv2)"),
        (r"XAuth authentication of '(.+)' failed", "did not let {0} in: user or password is wrong (XAUTH)"),
        (r"destroying IKE_SA after failed XAuth authentication", "ended the ISAKMP SA after a wrong XAUTH answer"),
        (r"expected a virtual IP request, sending FAILED_CP_REQUIRED", "expected to be asked for a virtual address"),
        (r"no virtual IP found for (.+?) requested by '(.+)'", "has no virtual address left for {1}"),
        (r"could not decrypt payloads", "cannot decrypt a message, as with another pre-shared key"),
        (r"calculated HASH does not match HASH payload", "finds a wrong HASH, as with another pre-shared key"),
        (r"no matching CHILD_SA config found for (.+) === (.+)", "has no child between {0} and {1}"),
        (r"no peer config found", "has no connection for this identity"),
        (r"Aggressive Mode PSK disabled for security reasons", "does not allow Aggressive Mode with a pre-shared key"),
        (r"giving up after (\d+) retransmits", GAVE_UP + " after {0} repetitions"),
        (r"(?:establishing|rekeying) IKE_SA failed, peer not responding", GAVE_UP + ": the peer does not answer"),
        (r"unable to install (.*)IPsec SA \(SAD\) in kernel", "could not install the {0}SA in its kernel"),
        (r"unable to install IPsec policies \(SPD\) in kernel", "could not install the policies in its kernel"),
        (r"unable to add SAD entry with SPI (\w+)", "could not add the SA with SPI {0} to its kernel"),
        (r"algorithm (\S+) not supported by kernel!", "has a kernel that lacks {0}"),
        (r"ignoring IKE_SA setup from (\S+?), (.+)", "ignored a new peer at {0}: {1}"),
        (r"received unsupported IKE version (\S+) from (\S+), .*", "was asked in IKE version {0} by {1}"),
        (r"received invalid IKE header from (\S+) - ignored", "ignored what is no IKE message from {0}"),
        (r"message parsing failed", "could not read a message"),
        (r"(\S+) (request|response) with message ID (\d+) processing failed", "could not process {0} {1} {2}"),
        (r"received message ID (\d+), expected (\d+).*", "received message ID {0} where {1} had to come"),
        (r"key derivation failed", "could not derive keys"),
        (r"negotiated key exchange method (\S+) not supported", "cannot do the key exchange {0}"),
        (r"peer selected invalid traffic selectors: (.*)", "was answered with traffic selectors it did not offer: {0}"),
        (r"authentication of '(.+)' \(myself\) failed", "could not prove that it is {0}"),
        (r"unable to resolve (\S+), initiate aborted", "could not find the address of {0}"),
        (r"unable to rekey, (\S+) CHILD_SA with SPI (\w+) not found", "was asked to rekey SPI {1}, which it has not"),
        (r"unable to create CHILD_SA while (rekeying|deleting) IKE_SA", "makes no CHILD SA while {0} the IKE SA"),
        (r"installing virtual IP (\S+) failed", "could not take the virtual address {0}"),
        (r"integrity check failed", "received a message whose integrity checksum is wrong"),
        (r"message verification failed", "received a message that breaks a rule of its exchange"),
        (r"ignoring (.+) for (.+)", "passed over {0} for {1}"),
    )
)  # fmt: skip


def findings(directory: Path) -> list[Finding]:
    """The reasons in all logs of a scenario."""
    logs = sorted(path for path in (directory / "logs").glob("*.log") if path.is_file())
    return [found for log in logs for found in _in_log(log)]


def _in_log(log: Path) -> Iterator[Finding]:
    node, _, daemon = log.stem.partition("-")
    read = _ours if daemon.startswith("daemon") else _charon if daemon.startswith("charon") else None
    if read is None:
        return
    before = ""
    for number, line in enumerate(_lines(log), 1):
        found = read(line)
        if found is not None and found[1] != before:
            before = found[1]
            refused = found[1].startswith(_REFUSED)
            yield Finding(found[0], node, found[1], f"{log.name} line {number}", reason=not refused, offered=refused)


def _lines(log: Path) -> Iterator[str]:
    try:
        with log.open("rb") as file:
            content = file.read(MOST_OCTETS)
    except OSError:
        return
    for line in content.splitlines():
        yield legible(line.decode(errors="replace"))


def _ours(line: str) -> tuple[float, str] | None:
    found = _OURS.fullmatch(line)
    if found is None:
        return None
    if refusal := _OUR_REFUSAL.fullmatch(found["text"]):
        return float(found["t"]), refusal["why"]
    if found["kind"] == "failed":
        silent = found["text"].startswith("peer does not answer")
        return float(found["t"]), f"{GAVE_UP}: {found['text']}" if silent else found["text"]
    return (float(found["t"]), f"dropped a datagram: {found['text']}") if found["kind"] == "drop" else None


def _charon(line: str) -> tuple[float, str] | None:
    found = _CHARON.fullmatch(line)
    if found is None:
        return None
    for pattern, words in MEANINGS:
        if told := pattern.match(found["text"].strip()):
            return _time(found["t"]), words.format(*told.groups())
    return None


def _time(text: str) -> float:
    """Charon writes the time of its clock without a zone; in the lab that is UTC."""
    try:
        return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()
    except ValueError:
        return 0.0
