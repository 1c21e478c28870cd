"""Why a negotiation failed, in plain words: from the message ladder, and from what both daemons logged.

    wire      refusals and silences, from ladder.json and detail.json
    mappings  NAT mappings that ended while somebody still sent to them, from nat.json and the ladder
    traffic   traffic that no SA takes, or that one side sends and the other does not take, from sas.json and the ladder
    daemons   what each daemon gave as its reason, from the logs
    account   both in the order of time, with a conclusion that joins a refusal to the reason of who refused

The wire says that something was refused and by whom, and is believed; a log says why, and is quoted. Facts in, words
out; nothing here raises for bad content.
"""

from lab.report.why.account import Account, account
from lab.report.why.finding import Finding

__all__ = ["Account", "Finding", "account"]
