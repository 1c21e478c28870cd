"""The report: facts as JSON in, pages as HTML out.

Glossary of this package:

    run          a run directory as loaded: `run.json` and whatever scenario directories there are
    result       one scenario with one pairing
    page         what a scenario's page shows
    rung         one row of the message ladder: a message, a run of packets, or a silence
    detail       a message opened up: payload tree and octets
    doubt        a sentence about what could not be read; it stands on the page

Pure: nothing is run and nothing is asked of the network; `build` can be called again on an old directory, and on that
of an interrupted run.
"""

from lab.report.pages import build, differences

__all__ = ["build", "differences"]
