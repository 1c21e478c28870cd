"""Many ESP packets in one go: the fast half of the data plane. It needs numpy; without it there is only the plain half.

super-packet    many segments of one flow under one set of headers, as the system moves them (`lab.ipsec.superpacket`)
train           ESP packets of one SA and of one length behind each other, the last one may be shorter; as the system
                sends and receives them in one call
rows            a matrix of octets, one packet in each row; a column is the same field of all packets
room            buffers for a train of one length, with all views into them made beforehand

    out    super-packet -> cut into rows -> seal each row -> train
    in     train -> open each row -> check columns -> join rows -> super-packets

Rules of this package:
- What it does is what the plain functions do packet by packet, octet for octet. `lab.ipsec.esp` is the reference.
- It decides before it changes anything. Whatever is unusual (a gap, a replay, a forged packet, a limit that comes near)
  is left to the plain functions from the start, by an answer of None.
"""
