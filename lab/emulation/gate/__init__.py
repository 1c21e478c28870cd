"""The packet gate: a forwarding node that drops, holds, doubles, delays, swaps, corrupts or records what it is told to.

Glossary of this package:

    filter       which packets, in words: `2nd IKE_AUTH response from right` (filter.py; docs/gate.md)
    rule         an action and its filter, in Python, in a topology file or as a line of JSON (rule.py)
    nftables     how a plain drop runs: in the kernel of the node (nftables.py)
    user space   how everything else runs: the node's frames pass through a TAP (wire.py) to the gate's process
                 (server.py), where the engine (engine.py, no clock and no sockets) says what becomes of each
    packet       one such frame and what its headers say (packet.py); its payloads are opened with the keys that the
                 peers have logged by then (opener.py)
    gate         what scenarios and the network see of it all (gate.py)

A gateway is never a gate: its tap shows when a packet was really sent and really arrived.
"""
