"""Several guests at once against one: the same scenarios with `-j 1` and with `-j N`, one run after the other.

    bench/parallel.py [--jobs N] [SELECT ...]

Prints both times of the whole command and of the scenarios alone, their ratio, the number of scenarios and the median.
Without SELECT it is the whole catalogue. The machine must do nothing else meanwhile.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from lab.evidence.results import Run, read_run

ROOT = Path(__file__).resolve().parents[1]
FAILED = 1


def main() -> int:
    """Run both; exit code 1 if either has a scenario that did not pass."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=2, metavar="N")
    parser.add_argument("select", nargs="*")
    given = parser.parse_args()
    code, whole = 0, {}
    for jobs in (1, given.jobs):
        with tempfile.TemporaryDirectory(prefix="ikelab-bench-") as scratch:
            took, run, ended = measured(given.select, jobs, Path(scratch) / "run")
        code, whole[jobs] = max(code, ended), took
        print(f"-j {jobs}: {took:.1f} s, of which scenarios {run.duration_s or 0.0:.1f} s; {said(run)}", flush=True)
    print(f"ratio: {whole[1] / whole[given.jobs]:.2f}")
    return code


def measured(select: list[str], jobs: int, out: Path) -> tuple[float, Run, int]:
    """Seconds that `ikelab run` took with so many guests, what it left, its exit code."""
    began = time.monotonic()
    command = [sys.executable, "-m", "lab", "run", *select, "-j", str(jobs), "--kernel", "guest", "--out", str(out)]
    ended = subprocess.run(command, cwd=ROOT, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=False)
    run = read_run(out)
    if run is None:
        sys.exit(f"ikelab run ended with {ended.returncode} and left no run")
    return time.monotonic() - began, run, FAILED if ended.returncode else 0


def said(run: Run) -> str:
    """The number of scenarios by verdict, and the median of their durations."""
    times = [result.duration_s for result in run.results if result.duration_s is not None]
    counts = ", ".join(f"{count} {word}" for word, count in run.counts.items() if count)
    return f"{len(run.results)} scenarios ({counts}); median {median(times) if times else 0.0:.2f} s"


if __name__ == "__main__":
    sys.exit(main())
