"""The host's side of `ikelab run`: select scenarios, boot guests, follow what they report, check it, merge it.

Glossary: a *batch* is what one guest (or one contained process on the host's kernel) runs in one pytest; a *follower*
reads the events a batch writes; an *attempt* is one run of a scenario, of which a repeated or retried one has several.
"""
