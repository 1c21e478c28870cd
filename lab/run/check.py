"""The host's part in a verdict: tshark, which the guest does not have, must confirm what our own decoder says.

Rules: a capture that tshark cannot decrypt fully with our profile makes the scenario `failed`; an algorithm that this
tshark does not know is named in the step, and our own decode stands. A host without tshark leaves the step
`unsupported`: it is said, not hidden, and fails nothing.
"""

from pathlib import Path

from lab.errors import BrokenError, UnfitError
from lab.evidence import finish
from lab.evidence.results import Evidence, Result, Step, VerdictWord, read_result, write_result

STEP = "tshark"


def check(directory: Path, out: Path, duration_s: float | None) -> Result:
    """Read a finished scenario's result, let tshark look at the capture, write the result back."""
    result = read_result(directory, out)
    result.duration_s = duration_s
    if (directory / finish.WIRE).exists():
        step = _look(directory)
        result.steps.append(step)
        if (directory / "tshark.json").exists():
            note = "what tshark decrypted, and what it did not"
            result.evidence.append(Evidence(kind="tshark", file="tshark.json", note=note))
        if step.verdict in ("failed", "unresolved") and result.verdict == "passed":
            result.verdict, result.reason = step.verdict, step.detail
            result.attempts = [step.verdict]
    write_result(result, directory)
    return result


def _look(directory: Path) -> Step:
    """One step that says what tshark found."""
    try:
        report = finish.check(directory)
    except UnfitError as error:
        return _step("unsupported", str(error))
    except BrokenError as error:
        return _step("unresolved", str(error))
    return _step("passed" if report.ok else "failed", report.sentence())


def _step(verdict: VerdictWord, detail: str) -> Step:
    return Step(name=STEP, verdict=verdict, at_s=0.0, detail=detail)
