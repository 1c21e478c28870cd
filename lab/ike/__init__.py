"""What both versions of IKE share: configuration, credentials, NAT detection, lifecycles, actions.

Glossary: a *connection* is what the configuration says, an *IKE SA* is what two peers made of it, a *child* is a
CHILD SA under it; an *action* is a frozen value that the caller of an endpoint carries out.
"""
