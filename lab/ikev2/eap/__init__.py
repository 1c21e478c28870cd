"""EAP inside IKE_AUTH (RFC 3748, RFC 7296 2.16), without I/O and without a clock.

peer            who proves itself by EAP: the initiator of the IKE SA
authenticator   who asks: the responder; it is its own EAP server
method          how: MD5, MSCHAPv2 ...; a generator per role, in a file of its own
run             what one run of a method is given, and what it leaves: a key, or a reason in words
MSK             the key that a method leaves; AUTH is made from it, or from SK_pi and SK_pr where there is none
"""
