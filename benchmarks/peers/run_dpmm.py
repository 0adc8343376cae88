"""dpmm (SAS): AIM and MST behind its own private binning, with public ranges and labels.

Its `proc_epsilon` comes on top of `epsilon`, so a tenth of the budget goes to the bins and the rest to the model.
"""

# /// script
# requires-python = ">=3.11,<3.12"
# dependencies = ["dpmm==0.1.9", "numpy==1.26.4", "pandas==2.1.0", "opendp==0.12.1", "scipy==1.17.1", "networkx==2.8.8"]
# ///

from __future__ import annotations

import pandas as pd
from _runner import Job, Sample, run

UNPAID = [
    "whether a column is constant or has missing values is read off the table",
    "the depth of the private bins depends on the exact number of rows",
]


def fit(job: Job, table: pd.DataFrame) -> Sample:
    """See `_runner.run`."""
    from dpmm.pipelines import AIMPipeline, MSTPipeline

    domain = {name: {"categories": labels} for name, labels in job.labels().items()}
    domain |= {name: {"lower": low, "upper": high} for name, (low, high) in job.ranges().items()}
    pipeline = {"aim": AIMPipeline, "mst": MSTPipeline}[job.method]
    model = pipeline(epsilon=0.9 * job.epsilon, delta=job.delta, proc_epsilon=0.1 * job.epsilon)
    model.fit(table.astype(dict.fromkeys(job.labels(), "category")), domain, random_state=job.seed)
    return lambda rows: model.generate(n_records=rows, random_state=job.seed)


if __name__ == "__main__":
    run(fit, package="dpmm", unpaid={"aim": UNPAID, "mst": UNPAID})
