"""Transforms as objects: what a negotiated number can do, and the only importer of `cryptography`.

    spec        an algorithm at one key length, without a key (CipherSpec, IntegSpec, PrfSpec, GroupSpec); in `registry`
    object      a spec with a key inside, made once per SA and used per packet (`spec.new(key)`)
    key         as keying material comes: for AEAD and counter modes the salt ("nonce" in RFC 3686) is at its end
    icv         integrity check value; always compared in constant time, always before the plaintext is let out
    keyword     the name that strongSwan's proposal strings use (`aes256gcm16`)

No state outside objects, no clock, no randomness of its own: whoever needs octets at random passes `random(count)`.
"""
