"""SDNist's own k-marginal score, computed as its report does: binned by `Dataset`, scored by `KMarginal`, beside random samples.

Called with one JSON file: `root` (a folder laid out as SDNist's data), `tables` (name -> CSV), `features` (those to be scored),
`seed`, `result`.
"""

# /// script
# requires-python = ">=3.8,<3.12"
# dependencies = ["sdnist==2.4", "setuptools==80.9.0"]
# ///

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> None:
    """Score every table and the report's samples of the real one."""
    job = json.loads(Path(sys.argv[1]).read_text())
    os.chdir(job["root"])
    import numpy as np
    from sdnist.load import TestDatasetName
    from sdnist.report.dataset import Dataset
    from sdnist.report.score.utility import KMarginal, kmarginal_subsamples
    from sdnist.utils import SimpleLogger

    np.random.seed(job["seed"])  # noqa: NPY002 - the package draws from it
    result: dict = {"scores": {}}
    for name, path in job["tables"].items():
        data = Dataset(Path(path), SimpleLogger(), TestDatasetName.national2019, Path(job["root"]), download=False)
        groups = data.config["k_marginal"]["group_features"]
        result["scores"][name] = float(KMarginal(data.d_target_data, data.d_synthetic_data, groups).compute_score())
        if set(data.d_synthetic_data.columns) != set(job["features"]):  # it drops a column with an unknown value
            raise ValueError(f"{name}: scored without {sorted(set(job['features']) - set(data.d_synthetic_data.columns))}")
    samples, _ = kmarginal_subsamples(data, KMarginal, groups)
    result["samples"] = {f"{fraction:.2f}": score for fraction, score in samples.items()}
    Path(job["result"]).write_text(json.dumps(result))


if __name__ == "__main__":
    main()
