"""Several runs: which there were, what changed between two of them, which scenarios cannot make up their minds.

    payloads      two readings of one message, field by field
    messages      two ladders, message by message
    replay        two ladders of one seed, packet by packet
    differences   two runs, scenario by scenario
    store         the index of all runs (SQLite), made from run directories and rebuilt from them at any time
    trend         verdicts over the runs of the index, and what is flaky among them

The truth is in the run directories. What chance decides anew in every run (SPIs, nonces, keys) is never a difference.
"""
