"""What is said about a run as a whole: the banner of the index, and its environment.

Rules of this file: the headline names what went wrong before anything else; a run that was interrupted, or has no
results, has not passed.
"""

from lab.report import facts, words
from lab.report.model import Run, Verdict


def headline(run: Run) -> str:
    """The banner's sentence."""
    total, passed = len(run.results), run.counted(Verdict.PASSED)
    if not total:
        return "No results"
    bad = {verdict: run.counted(verdict) for verdict in (Verdict.FAILED, Verdict.UNRESOLVED, Verdict.FLAKY)}
    said = [f"{number} {verdict.value}" for verdict, number in bad.items() if number]
    if said:
        return f"{', '.join(said)} of {words.count(total, 'result')}"
    unsupported = run.counted(Verdict.UNSUPPORTED)
    if not unsupported:
        return f"All {total} results passed" if total > 1 else "The only result passed"
    return f"{passed} passed, {unsupported} unsupported"


def worst(run: Run) -> Verdict:
    """The verdict of the whole run: `unsupported` does not spoil it, an empty or interrupted run is unresolved."""
    graves = [one.verdict for one in run.results if one.verdict is not Verdict.UNSUPPORTED]
    if not run.results:
        return Verdict.UNRESOLVED
    found = min(graves, key=lambda verdict: verdict.gravity, default=Verdict.UNSUPPORTED)
    return Verdict.UNRESOLVED if run.interrupted and found is not Verdict.FAILED else found


def run_name(run: Run) -> str:
    """The run's id, else its start."""
    return facts.text(run.facts, "run_id") or facts.text(run.facts, "started")


def summary(run: Run) -> str:
    """Kernel, versions, seed and duration in one line."""
    kernel = facts.table(run.facts, "kernel")
    kind, release = facts.text(kernel, "kind"), facts.text(kernel, "release")
    versions = facts.table(run.facts, "versions")
    seed, took = facts.text(run.facts, "seed"), words.seconds(facts.number(run.facts, "duration_s"))
    said = [
        f"{kind} kernel {release}".strip() if kind or release else "",
        *(f"{name} {words.plain(version)}"[:60] for name, version in list(versions.items())[:6] if name != "ours"),
        f"seed {seed}" if seed else "",
        f"took {took}" if took else "",
    ]
    return ", ".join(filter(None, said))


def shares(run: Run) -> list[tuple[Verdict, float, float]]:
    """(verdict, start, width) in percent: the strip under the headline, the good first."""
    found, start = [], 0.0
    for verdict in reversed(Verdict):
        width = 100 * run.counted(verdict) / len(run.results)
        if width:
            found.append((verdict, round(start, 3), round(width, 3)))
            start += width
    return found


def reproduce(run: Run) -> str:
    """The exact command, with its seed."""
    command = facts.text(run.facts, "command") or " ".join(facts.texts(run.facts, "command"))
    seed = facts.text(run.facts, "seed")
    return f"{command} --seed {seed}" if command and seed and "--seed" not in command else command


def environment(run: Run) -> list[tuple[str, str]]:
    """Facts about the machine and the run."""
    kernel = facts.table(run.facts, "kernel")
    found = [
        ("Kernel", " ".join(facts.text(kernel, key) for key in ("kind", "release")).strip()),
        *((name, words.plain(version)) for name, version in facts.table(run.facts, "versions").items()),
        ("Seed", facts.text(run.facts, "seed")),
        ("Started", facts.text(run.facts, "started")),
        ("Duration", words.seconds(facts.number(run.facts, "duration_s"))),
        ("Run", facts.text(run.facts, "run_id")),
    ]
    told = {"schema", "run_id", "started", "duration_s", "command", "seed", "kernel", "versions", "counts", "results"}
    rest = [(words.label(key), words.plain(value)) for key, value in run.facts.items() if key not in told]
    return [(name, value[:400]) for name, value in found + rest if value]
