"""Every engine attacked by the audit, and the audit tried on every known bug:  python benchmarks/audit.py

About twenty minutes for the engines and two for the bugs on two quiet cores. The result is kept in results/audit.json; --publish also puts it where reports quote it from.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from _machine import RESULTS, keep

import tabsynth
from tabsynth.audit import summary
from tabsynth.validate.audit.engines import ENGINES
from tabsynth.validate.audit.measured import FILE

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from audit_mutations import MUTATIONS, hunt


def main() -> None:
    """Audit, then break the product in every known way."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tier", default="nightly")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--publish", action="store_true", help="Reports quote this result from now on.")
    arguments = parser.parse_args()
    document = tabsynth.audit(arguments.engines, tier=arguments.tier, workers=arguments.workers)
    print("\n".join(summary(document)), flush=True)
    document["mutations"] = {}
    for number, mutation in sorted(MUTATIONS.items()):
        document["mutations"][number] = found = hunt(mutation)
        print(number, mutation.what, ", ".join(found["layers"]) or "NOT NOTICED", f"{found['seconds']} s", flush=True)
    keep("audit", document)
    if arguments.publish:
        kept = json.loads((RESULTS / "audit.json").read_text(encoding="utf-8"))
        for engine in kept["engines"]:
            engine["stages"] = [stage for stage in engine["stages"] if stage["pair"] == engine["total"]["pair"]]
        FILE.write_text(json.dumps(kept) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
