"""ikelab: an IPsec interoperability lab that anyone can run.

The nouns used everywhere in this package:

    peer         an IKE implementation in a node: `ours`, `strongswan`, ...
    endpoint     our own sans-IO IKE host: bytes and a clock go in, actions come out
    connection   what a swanctl.conf section `connections.NAME` says; it holds children
    IKE SA       the protected channel between two peers, named by two 8-byte SPIs
    CHILD SA     a pair of ESP or AH SAs, negotiated under an IKE SA, named by two 4-byte SPIs
    exchange     one request and its response (IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA, INFORMATIONAL)
    path         the local and remote UDP address of a datagram; NAT traversal moves a path to port 4500
    action       what the caller must do for an endpoint: send, install a child, report an event
    backend      who carries ESP: our user-space data plane on a TUN device, or the kernel's XFRM
    topology     nodes, links and NAT boxes, written in YAML
    guest        a User Mode Linux kernel in a process: the lab's own network stack, without root
    scenario     a pytest function in `scenarios/` whose verdict comes from captured packets
    pairing      which peer initiates to which: `ours>strongswan`
    ladder       the list of all captured messages, decrypted, as `ladder.json`
    evidence     the files of a scenario from which anyone can check the verdict again
    verdict      passed, failed, unsupported (a peer lacks the ability), unresolved (the lab broke)
"""

__version__ = "0.1.0"
