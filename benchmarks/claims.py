"""How many claims of a demo's report stay open:  python benchmarks/claims.py [--runs 20]

Each run makes both demo releases anew, with a split and noise of its own, at the default policy. One line a run is printed; results/claims.json keeps
verdicts and sentences, run after run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from _machine import keep, kept

from tabsynth import demo
from tabsynth.access import silent
from tabsynth.published import read_document
from tabsynth.report.claims import by_check, claims, counted

OPEN = ("INCONCLUSIVE", "NOT TESTED")


def run(name: str) -> dict[str, Any]:
    """One release of the demo `name`, and what its report claims."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        demo.run(name, Path(folder) / "out", progress=silent)
        data = read_document(next(Path(folder).rglob("report.internal.json")), ("tabsynth.report",), "a release")
    found = claims(by_check(data), data["card"], counted(data), data["policy"])
    return {
        "table": name,
        "seconds": round(time.perf_counter() - started, 1),
        "verdicts": {claim.title: claim.verdict for claim in found},
        "said": {claim.title: claim.sentence for claim in found if claim.verdict != "PASS"},
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    asked = parser.parse_args()
    done = kept("claims").get("runs", [])
    for name in demo.STORIES:
        for _ in range(asked.runs - sum(each["table"] == name for each in done)):
            result = run(name)
            done.append(result)
            keep("claims", {"runs": done})
            counts, rest = dict(Counter(result["verdicts"].values())), ", ".join(result["said"]) or "none"
            print(f"{name}, {result['seconds']:.0f} s: {counts}; not passed: {rest}", flush=True)
        runs = [each for each in done if each["table"] == name]
        still = [sum(verdict in OPEN for verdict in each["verdicts"].values()) for each in runs]
        print(
            f"{name}: {sum(still) / len(runs):.2f} of {len(runs[0]['verdicts'])} claims open on average, none in {still.count(0)} of {len(runs)} runs"
        )


if __name__ == "__main__":
    main()
