"""mostlyai-engine: TabularARGN trained with DP-SGD for at most three minutes; a tenth of the budget protects values.

Installed without torchvision, torchaudio and the packages for language models, which tables do not need.
"""

# /// script
# requires-python = ">=3.11,<3.14"
# dependencies = [
#   "torch==2.13.0", "opacus==1.6.0", "accelerate==1.15.0", "datasets==5.2.0", "joblib==1.6.0", "numpy==2.4.6", "pandas==2.3.3",
#   "psutil==5.9.8", "pyarrow==26.0.1", "scikit-learn==1.9.1", "json-repair==0.64.4", "transformers==5.23.0", "peft==0.21.2",
# ]
#
# [tool.benchmark]
# without-dependencies = ["mostlyai-engine==2.7.3"]
# threads = 1
# ///

from __future__ import annotations

from pathlib import Path

import pandas as pd
from _runner import Job, Sample, run

MINUTES = 3
UNPAID = [
    "a category that one person holds is released with some probability, so the categories are not covered by the stated epsilon",
    "how many categories are rare, and which columns have missing values, is stored exactly",
    "early stopping, the learning rate and the choice of the best epoch use the loss on held-out rows without noise",
    "its interface takes neither public ranges nor public labels",
]


def fit(job: Job, table: pd.DataFrame) -> Sample:
    """See `_runner.run`."""
    from mostlyai import engine
    from mostlyai.engine.domain import DifferentialPrivacyConfig

    workspace = Path(job.folder) / "workspace"
    engine.set_random_state(job.seed)
    private = DifferentialPrivacyConfig(max_epsilon=job.epsilon, delta=job.delta, value_protection_epsilon=0.1 * job.epsilon)
    kinds = {name: "TABULAR_CATEGORICAL" if "labels" in c else "TABULAR_NUMERIC_AUTO" for name, c in job.columns.items()}
    engine.split(tgt_data=table, workspace_dir=workspace, tgt_encoding_types=kinds)
    engine.analyze(differential_privacy=private, workspace_dir=workspace)
    engine.encode(workspace_dir=workspace)
    engine.train(max_training_time=MINUTES, differential_privacy=private, device="cpu", workspace_dir=workspace)

    def sample(rows: int) -> pd.DataFrame:
        engine.generate(sample_size=rows, device="cpu", workspace_dir=workspace)
        return pd.read_parquet(workspace / "SyntheticData")

    return sample


if __name__ == "__main__":
    run(fit, package="mostlyai-engine", unpaid={"argn": UNPAID})
