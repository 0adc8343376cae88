"""smartnoise-synth (OpenDP): MST and AIM on codes from public facts, DPCTGAN and PATECTGAN on labels and ranges.

Its transformers learn categories and bounds from what they are fitted on, so they are fitted on a table made of the public labels.
"""

# /// script
# requires-python = ">=3.11,<3.12"
# dependencies = [
#   "smartnoise-synth==1.0.8", "opacus==0.14.0", "mbi==1.1.0", "torch==2.13.0", "numpy==2.4.6", "pandas==2.3.3", "packaging==26.3",
#   "jax==0.10.2", "opendp==0.14.2", "smartnoise-sql==1.0.10",
# ]
#
# [tool.benchmark]
# threads = 1
# ///

from __future__ import annotations

import pandas as pd
from _runner import Discrete, Job, Sample, run

UNPAID = {
    "mst": ["the exact number of rows"],
    "aim": [],
    "dpctgan": [
        "the frequencies of the categories that condition the training",
        "privacy is counted for Poisson batches, but batches are drawn by category",
        "the last epoch is not checked against the budget",
        "the batch rate is computed from the exact number of rows",
    ],
    "patectgan": [
        "the frequencies of the categories that condition the training",
        "one network is the student and every teacher, so the teachers see all rows",
        "the number of teachers is computed from the exact number of rows",
    ],
}


def fit(job: Job, table: pd.DataFrame) -> Sample:
    """See `_runner.run`."""
    import numpy as np

    np.random.seed(job.seed)  # noqa: NPY002 - the package draws from it
    return marginals(job, table) if job.method in ("mst", "aim") else gan(job, table)


def marginals(job: Job, table: pd.DataFrame) -> Sample:
    """MST or AIM."""
    from snsynth import Synthesizer
    from snsynth.transform import LabelTransformer, TableTransformer

    codes = Discrete(job)
    columns = list(codes.sizes)
    transformer = TableTransformer([LabelTransformer(nullable=False) for _ in columns])
    transformer.fit(public({name: range(size) for name, size in codes.sizes.items()}))
    model = Synthesizer.create(job.method, epsilon=job.epsilon, delta=job.delta)
    model.fit(codes.encode(table), transformer=transformer)
    return lambda rows: codes.decode(pd.DataFrame(model.sample(rows), columns=columns).astype("int64"))


def gan(job: Job, table: pd.DataFrame) -> Sample:
    """DPCTGAN or PATECTGAN."""
    import torch
    from snsynth import Synthesizer
    from snsynth.transform import ChainTransformer, LabelTransformer, MinMaxTransformer, OneHotEncoder, TableTransformer

    torch.manual_seed(job.seed)
    labels, ranges = job.labels(), job.ranges()
    transformer = TableTransformer(
        [
            ChainTransformer([LabelTransformer(nullable=False), OneHotEncoder()])
            if name in labels
            else MinMaxTransformer(lower=ranges[name][0], upper=ranges[name][1])
            for name in job.columns
        ]
    )
    transformer.fit(public({name: labels.get(name) or ranges[name] for name in job.columns}))
    model = Synthesizer.create(job.method, epsilon=job.epsilon, delta=job.delta, verbose=False)
    model.fit(table, transformer=transformer)
    return lambda rows: whole(pd.DataFrame(model.sample(rows), columns=list(job.columns)), list(ranges))


def public(values: dict) -> pd.DataFrame:
    """A table in which every public value occurs."""
    rows = max(map(len, values.values()))
    return pd.DataFrame({name: [some[i % len(some)] for i in range(rows)] for name, some in values.items()})


def whole(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Numbers rounded."""
    table[names] = table[names].astype(float).round().astype("int64")
    return table


if __name__ == "__main__":
    run(fit, package="smartnoise-synth", unpaid=UNPAID)
