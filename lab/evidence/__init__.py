"""Evidence: what the capture proves, in files that anyone can check again.

Glossary of this package:

    frame        one captured link-layer frame, with the time and the capture point (`node:iface`) it was seen at
    sighting     one datagram of IKE, ESP, AH, GRE or a keepalive, seen at one capture point, fragments put together
    flight       all sightings of one datagram between leaving its sender and reaching its receiver
    ladder       the flights in the order they were sent, decrypted: `ladder.json`, with `detail.json` beside it
    keyring      the keys of both sides, looked up by SPI
    profile      a Wireshark configuration directory with these keys
    places       which node owns which address, and which nodes only forward

Nothing here asks a peer: the verdict comes from captured octets and from keys that both sides logged.
"""
