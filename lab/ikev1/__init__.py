"""IKEv1: exchanges, keys and reliability (RFC 2407, 2408, 2409); it never imports lab.ikev2."""
