"""SDV: GaussianCopula and CTGAN without any privacy, as a ceiling for what others pay for."""

# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = ["sdv==2.0.0", "torch==2.13.0", "numpy==2.4.6", "pandas==2.3.3", "ctgan==0.12.1", "copulas==0.14.1", "rdt==2.0.0"]
#
# [tool.benchmark]
# threads = 1
# ///

from __future__ import annotations

import pandas as pd
from _runner import Job, Sample, run

UNPAID = ["everything: there is no privacy"]


def fit(job: Job, table: pd.DataFrame) -> Sample:
    """See `_runner.run`. CTGAN trains for its default of 300 epochs."""
    import numpy as np
    import torch
    from sdv.metadata import Metadata
    from sdv.single_table import CTGANSynthesizer, GaussianCopulaSynthesizer

    np.random.seed(job.seed)  # noqa: NPY002 - the package draws from it
    torch.manual_seed(job.seed)
    columns = {name: {"sdtype": "categorical" if "labels" in c else "numerical"} for name, c in job.columns.items()}
    metadata = Metadata.load_from_dict({"tables": {"table": {"columns": columns}}})
    model = {"copula": GaussianCopulaSynthesizer, "ctgan": CTGANSynthesizer}[job.method](metadata)
    model.fit({"table": table})

    def sample(rows: int) -> pd.DataFrame:
        drawn = model.sample(num_rows=rows)
        return drawn["table"] if isinstance(drawn, dict) else drawn

    return sample


if __name__ == "__main__":
    run(fit, package="sdv", unpaid={"copula": UNPAID, "ctgan": UNPAID})
