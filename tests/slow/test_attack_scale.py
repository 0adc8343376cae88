"""The leakage suite on a table of the size that it promises to handle: three minutes and 2 GB on two cores."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, resource, time
import numpy as np, pandas as pd
from tabsynth.schema import Column, Schema
from tabsynth.validate import Evidence
from tabsynth.validate.attacks import attacks

def table(rows, seed):
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 4))
    columns = {f"x{i}": (hidden[:, i % 4] * 10 + rng.normal(size=rows) * 5 + 50).clip(0, 100) for i in range(15)}
    for i in range(15):
        labels = np.array([f"v{j}" for j in range(3 + i)], object)
        place = (hidden[:, i % 4] + rng.normal(size=rows) * 0.7 + 2) / 4 * len(labels)
        columns[f"c{i}"] = labels[np.clip(place.astype(int), 0, len(labels) - 1)]
    return pd.DataFrame(columns)

numbers = [Column(f"x{i}", "float", minimum=0.0, maximum=100.0, nullable=False) for i in range(15)]
labels = [Column(f"c{i}", "categorical", labels=tuple(f"v{j}" for j in range(3 + i)), nullable=False) for i in range(15)]
evidence = Evidence(Schema("wide", (*numbers, *labels), target="c0"), *(table(n, s) for s, n in enumerate((20_000, 40_000, 100_000))))
started = time.monotonic()
findings = attacks(evidence)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
members = next(f for f in findings if f.check == "attacks.ldr.rank").details["n_members"]
print(json.dumps({"seconds": time.monotonic() - started, "GB": peak, "findings": len(findings), "members": members}))
"""


@pytest.mark.slow
def test_twenty_thousand_members_and_as_many_others_take_three_minutes_and_two_gigabytes():
    """40,000 challenge rows, 20,000 reference rows, 100,000 synthetic rows, 15 numbers and 15 label columns."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["members"] == 20_000
    assert result["seconds"] < 180, result
    assert result["GB"] < 2, result
