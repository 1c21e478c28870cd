"""Implementations that are brought along: `peers.d/NAME.toml` says by which commands one is driven.

Reading only; nothing is started here. The driver that carries a template out is `lab.peers.template`, the layer with
its packages comes from `lab.guest.recipe`.
"""
