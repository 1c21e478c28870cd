"""Many ESP packets in one go: the fast half of the data plane. It needs numpy; without it there is only the plain half.

super-packet    many segments of one flow under one set of headers, as the system moves them (`lab.ipsec.superpacket`)
train           ESP packets of one SA and of one length behind each other, the last one may be shorter; as the system
                sends and receives them in one call
rows            a matrix of octets, one packet in each row; a column is the same field of all packets
room            buffers for rows of one length, with all views into them made beforehand
pass            what is done to all rows of a room at once; its price hardly depends on how many they are
load            super-packets that waited together and share a pass

    out    super-packets -> cut into rows -> seal each row -> trains
    in     trains -> open each row -> look at each flow -> join rows that go on -> super-packets

Rules of this package:
- What it does is what the plain functions do packet by packet, octet for octet. `lab.ipsec.esp` is the reference.
- It decides before it changes anything. Whatever is unusual (a gap, a replay, a forged packet, a limit that comes near)
  is left to the plain functions from the start, by an answer of None.
"""
