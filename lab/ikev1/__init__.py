"""IKEv1 (RFC 2407 to 2409): one file per exchange with both roles, one for reliability. It never imports lab.ikev2.

Glossary: an *ISAKMP SA* is what IKEv2 calls IKE SA, its two *cookies* are its SPIs; *phase 1* (Main or Aggressive Mode)
sets it up, *phase 2* (Quick Mode) makes pairs of IPsec SAs under it; an *exchange* is a generator of either role that
yields the message to send (a *step*) and is sent the authentic message that follows; a *talk* is such an exchange under
way, known by its message ID; *Informational* is one message that nothing answers.
"""
