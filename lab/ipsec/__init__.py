"""The data plane without its sockets: which packets are protected, how ESP and AH wrap them, what is dropped and why.

    selector     which packets a child carries, both directions (RFC 4301 4.4.1, RFC 7296 2.9)
    flow         what a selector looks at in a packet: addresses, protocol, ports
    policy       PROTECT a flow with a child, DISCARD it, or nothing said about it (then it is discarded too)
    numbers      sequence numbers out and in; replay is the window behind the latter
    esp, ah      one packet at a time; headers is what AH's ICV sees of the headers before it
    carrier      inner packets in and out of ESP or AH, in tunnel or transport mode
    association  one child as installed: its carrier, its path, its counters
    dataplane    plain packets in, ESP or AH out, and back; every drop has a reason and is counted
    gre          tunnels of GRE around IP packets, which a child then protects

Pure: packets and `now` come in as arguments, values go out. The sockets are in `lab.backends`.
"""
