"""Drivers of IKE implementations: one class per peer, all with the shape of `base.PeerDriver`.

Glossary: a *driver* runs one peer in one node of the network; a *tree* is the swanctl.conf section tree that every
driver is configured with; an *ability* is a word that a scenario may ask for; *keys* are what a peer says it
negotiated, in the shape of keys.json.
"""
