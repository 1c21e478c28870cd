"""The marks that a scenario may carry; `meta` reads them. Apart, because everybody's pytest loads this file."""

MARKS = {
    "rfc(clause, ...)": "the RFC clauses that a scenario proves, as 7296#2.6",
    "needs(ability, ...)": "what both peers of a scenario must be able to do",
    "clock(kind)": "the clock a scenario cannot do without: virtual or real",
    "limit(seconds)": "seconds that a scenario may compute (by the clock three times that), where 60 are too few",
    "long": "a scenario that runs only where its name is asked for, or with IKELAB_SLOW=1",
    "pairings(pairing, ...)": "the pairings of a scenario, as ours>strongswan",
}
