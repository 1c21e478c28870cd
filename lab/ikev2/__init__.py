"""IKEv2 (RFC 7296): one file per exchange with both roles, and one for reliability.

Glossary: an *exchange* is a request and its response; an initiator's part is a generator that yields requests and is
sent verified responses; a *conversation* is the responder's part of the initial exchanges, which belong together; a
*responder* answers a request that stands alone; the *window* says which message IDs may be under way (2.3).
"""
