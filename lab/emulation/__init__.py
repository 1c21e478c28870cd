"""Emulated networks: a topology in YAML becomes namespaces, links, NAT boxes and a capture.

topology    nodes and links as one YAML file describes them; checked before anything is started
node        a network namespace with its own /run: a gateway, an inner host, a NAT box or a router
link        a veth pair between two nodes; an end has an interface name of its role (`wan`, `lan`) and addresses
NAT box     a node that translates addresses with nftables; `inside` and `outside` are meant from it
impairment  what one direction of a link does to packets: delay, jitter, loss, reordering, changed bits, rate, MTU
gate        drops, holds, doubles, swaps, changes chosen packets at a forwarding node (its own package)
recorder    one forked process that writes every link end to one pcapng file, in causal order
"""
