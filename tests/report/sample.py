"""Made-up reports and cards in the shapes that `fit` and `evaluate` write. No number here was measured on anything."""

from __future__ import annotations

import math
import random
from itertools import combinations, pairwise
from typing import Any

from tabsynth.policy import Policy

from .sample_attacks import attacks, curve, finding
from .sample_quality import quality

HOSTILE = "<script>alert(1)</script>"
BREAKER = "\"'><img src=x onerror=alert(2)></svg></style>{{ 7*7 }}"

_LABELS = {
    "workclass": "Private|Self-emp-not-inc|Self-emp-inc|Federal-gov|Local-gov|State-gov|Without-pay|Never-worked",
    "education": "Preschool|1st-4th|5th-6th|7th-8th|9th|10th|11th|12th|HS-grad|Some-college|Assoc-voc|Assoc-acdm|Bachelors|Masters"
    "|Prof-school|Doctorate",
    "marital_status": "Married-civ-spouse|Divorced|Never-married|Separated|Widowed|Married-spouse-absent|Married-AF-spouse",
    "occupation": "Tech-support|Craft-repair|Other-service|Sales|Exec-managerial|Prof-specialty|Handlers-cleaners"
    "|Machine-op-inspct|Adm-clerical|Farming-fishing|Transport-moving|Priv-house-serv|Protective-serv|Armed-Forces",
    "relationship": "Wife|Own-child|Husband|Not-in-family|Other-relative|Unmarried",
    "race": "White|Asian-Pac-Islander|Amer-Indian-Eskimo|Other|Black",
    "sex": "Female|Male",
    "native_country": "United-States|Mexico|Philippines|Germany|Canada|Puerto-Rico|El-Salvador|India|Cuba|England|Jamaica|South"
    "|China|Italy|Dominican-Republic|Vietnam|Guatemala|Japan|Poland|Columbia|Taiwan|Haiti|Iran|Portugal|Nicaragua|Peru|Greece"
    "|France|Ecuador|Ireland|Hong|Cambodia|Trinadad&Tobago|Laos|Thailand|Yugoslavia|Outlying-US(Guam-USVI-etc)|Hungary"
    "|Honduras|Scotland|Holand-Netherlands",
    "income": "<=50K|>50K",
}
_RANGES = {
    "age": (17, 90), "fnlwgt": (10_000, 1_500_000), "education_num": (1, 16), "capital_gain": (0, 99_999), "capital_loss": (0, 4_356),
    "hours_per_week": (1, 99),
}  # fmt: skip
COLUMNS = ["age", "workclass", "fnlwgt", "education", "education_num", "marital_status", "occupation", "relationship", "race", "sex",
           "capital_gain", "capital_loss", "hours_per_week", "native_country", "income"]  # fmt: skip


def schema() -> dict[str, Any]:
    columns: dict[str, Any] = {}
    for name in COLUMNS:
        if name in _LABELS:
            columns[name] = {"kind": "categorical", "labels": _LABELS[name].split("|")}
        else:
            low, high = _RANGES[name]
            columns[name] = {"kind": "integer", "minimum": low, "maximum": high, "nullable": False}
    columns["fnlwgt"] = {"kind": "integer", "discover": True}
    return {
        "name": "adult",
        "description": "Census income, 1994.",
        "unit": {"key": None, "max_rows": 1},
        "target": "income",
        "protected": ["sex", "race"],
        "columns": columns,
    }


def card() -> dict[str, Any]:
    pairs = [
        "relationship, marital_status", "relationship, sex", "marital_status, income", "education, education_num",
        "occupation, education", "age, marital_status", "workclass, occupation", "hours_per_week, sex", "race, native_country",
        "capital_gain, income", "capital_loss, income", "age, fnlwgt", "hours_per_week, occupation", "race, fnlwgt",
    ]  # fmt: skip
    charges = [
        ("range of fnlwgt", 0.0014), ("one-way counts of 15 columns", 0.0093), ("choice of 14 pairs among 105", 0.0080),
        *((f"counts of {pair}", 0.0093 / 14) for pair in pairs),
    ]  # fmt: skip
    return {
        "format": "tabsynth.card", "version": 1, "created": "2026-03-04T12:30:05Z", "tabsynth": "0.1.0", "schema": schema(),
        "fingerprint": "9c1185a5c5e9fc54612808977ee8f548b2258d31e64b0d3c5f0cb5c1a2b6a2d4",
        "guarantee": {
            "private": True, "epsilon": 1.0, "delta": 1e-6, "unit": {"key": None, "max_rows": 1}, "neighbours": "add or remove one unit",
            "mu": 0.2366, "rho": 0.028,
            "statement": "The release is (1, 1e-6)-differentially private for adding or removing one row of the training table.",
        },
        "ledger": {
            "budget_rho": 0.028, "spent_rho": 0.028, "failure_delta": 1e-7,
            "charges": [
                {"note": note, "rho": rho, "delta": 1e-7 if i == 0 else 0.0,
                 "event": f"GaussianDpEvent(noise_multiplier={math.sqrt(1 / (2 * rho)):.4f})"}
                | ({"gaussians": [[math.sqrt(105 / (2 * rho)), 105]]} if note.startswith("choice") else {})
                for i, (note, rho) in enumerate(charges)
            ],
        },
        "model": {"name": "mst", "chosen": "auto: 15 columns and a budget of 0.028 suit a tree of pairs", "seed": 0,
                  "settings": {"pairs": 14, "iterations": 1000}},
        "synthetic": {"rows": 34170, "rows_is": "noisy estimate of the number of training rows", "seed": 0},
        "bought": [{"column": "fnlwgt", "what": "bins", "size": 32}],
        "noise": "exact discrete Gaussian from the operating system's randomness",
        "files": {"synthetic.parquet": "4b6f1cbd7b2e0f4f0a7c2c0d6b1d3a9e" * 2, "model/model.json": "0a7c2c0d6b1d3a9e4b6f1cbd7b2e0f4f" * 2,
                  "model/arrays.npz": "d3a9e4b6f1cbd7b2e0f4f0a7c2c0d6b1" * 2},
        "environment": {"python": "3.11.7", "numpy": "2.4.0", "pandas": "2.3.3", "dp_accounting": "0.5.0"},
        "limits": ["Relations among three or more columns are kept only as far as pairs imply them.",
                   "The total number of rows is itself a noisy estimate."],
    }  # fmt: skip


def report() -> dict[str, Any]:
    rng = random.Random(7)
    rows = {"train": 34190, "holdout": 14652, "synthetic": 34170}
    return {
        "format": "tabsynth.report", "version": 1, "private": False, "created": "2026-03-04T12:41:59Z", "tabsynth": "0.1.0",
        "schema": schema(), "target": "income", "tables": {name: {"rows": n} for name, n in rows.items()}, "seed": 0, "card": card(),
        "policy": Policy.load("default").to_dict(),
        "findings": [_without_small_cells(f) for f in (*_fidelity(rng), *_utility(rng), *_fairness(), *attacks(rng), *quality(), _expectations(), recounted())],
        "environment": {"python": "3.11.7", "platform": "Linux-6.1-x86_64", "packages": {"numpy": "2.4.0", "scikit-learn": "1.9.0"}},
        "seconds": 87.4,
    }  # fmt: skip


def _histogram(name: str, rng: random.Random) -> dict[str, Any]:
    if name in _LABELS:
        bins = _LABELS[name].split("|")
        weights = [rng.paretovariate(0.7) for _ in bins]
        if name == "native_country":
            weights = [900.0, *(20 * rng.random() for _ in bins[1:])]
    else:
        low, high = _RANGES[name]
        edges = [low + (high - low) * i // 24 for i in range(25)]
        bins = [f"{a} to {b}" for a, b in pairwise(edges)]
        weights = [math.exp(-(((i - 8) / 6) ** 2)) + 0.02 for i in range(24)]
        if name.startswith("capital"):
            weights = [60.0, *(rng.random() for _ in range(23))]
    total = sum(weights)
    train = [w / total for w in weights]

    def shaken(size: float) -> list[float]:
        out = [max(0.0, share * (1 + size * rng.gauss(0, 1))) for share in train]
        return [round(share / sum(out), 5) for share in out]

    return {
        "column": name,
        "bins": bins,
        "train": [round(t, 5) for t in train],
        "holdout": shaken(0.03),
        "synthetic": shaken(0.12),
    }


def _yardstick(further: float, share: float, *distances: float) -> dict[str, Any]:
    shares = [[*pair] for pair in zip((0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0), distances, strict=True)]
    return {"share": share, "distance": dict(shares)[share], "further": further, "shares": shares}


def _fidelity(rng: random.Random) -> list[dict[str, Any]]:
    is_reference = {"reference_is": "training rows vs holdout"}
    pairs = [{"columns": list(p), "value": round(0.03 + 0.09 * rng.random() ** 2, 4), "reference": round(0.02 + 0.02 * rng.random(), 4)}
             for p in combinations(COLUMNS, 2)]  # fmt: skip
    worst = [{"columns": rng.sample(COLUMNS, 3), "value": round(0.27 - 0.004 * i, 4), "reference": round(0.09 + 0.01 * rng.random(), 4)}
             for i in range(20)]  # fmt: skip
    columns = [
        {"column": c, "value": round(0.008 + 0.02 * rng.random(), 4), "reference": round(0.006 + 0.004 * rng.random(), 4)}
        for c in COLUMNS
    ]
    shares = {"train_low": 0.0098, "train_high": 0.0099, "synthetic_low": 0.0142, "synthetic_high": 0.0031}
    tails = [{"column": c, "low": low, "high": high, **shares} for c, (low, high) in _RANGES.items()]
    kept = [{"column": c, "real": len(v.split("|")), "kept": len(v.split("|")) - (3 if c == "native_country" else 0),
             "lost_rare": 3 if c == "native_country" else 0, "invented": 0} for c, v in _LABELS.items()]  # fmt: skip
    return [
        finding("fidelity.tvd1", "Mean distance of single columns", 0.0171, reference=0.0079, **is_reference,
                details={"columns": columns, "histograms": [_histogram(c, rng) for c in COLUMNS],
                         "yardstick": _yardstick(0.1, 0.2, 0.0921, 0.0634, 0.0467, 0.0288, 0.0201, 0.0152, 0.0102, 0.0079)}),
        finding("fidelity.tvd2", "Mean distance of pairs of columns", 0.0612, reference=0.0298, **is_reference,
                details={"pairs": pairs, "yardstick": _yardstick(0.05, 0.1, 0.2241, 0.1653, 0.1237, 0.0796, 0.0603, 0.0461, 0.0344, 0.0298)}),
        finding("fidelity.tvd3", "Mean distance of triples of columns", 0.1405, reference=0.0741, **is_reference,
                details={"worst": worst, "sets": 455, "sampled": False,
                         "yardstick": _yardstick(0.05, 0.1, 0.3993, 0.3184, 0.2537, 0.1769, 0.1376, 0.1062, 0.0832, 0.0741)}),
        finding("fidelity.tails", "Largest gap in the tails", 0.0123, details={"columns": tails}),
        finding("fidelity.categories", "Share of real categories kept", 0.9703, better="higher", details={"columns": kept}),
    ]  # fmt: skip


def _without_small_cells(found: dict[str, Any]) -> dict[str, Any]:
    """The finding as it is where few people are behind some of its numbers."""
    details, cells = found["details"], 0
    if found["check"] == "fidelity.tvd1":
        workclass = next(h for h in details["histograms"] if h["column"] == "workclass")
        for part, hidden in (("train", (6, 7)), ("holdout", (5, 6, 7))):
            workclass[part] = [None if i in hidden else share for i, share in enumerate(workclass[part])]
        fnlwgt = next(h for h in details["histograms"] if h["column"] == "fnlwgt")
        fnlwgt["bins"][-1], fnlwgt["train"][-2:] = None, [None, None]
        details["columns"][1] |= {"value": None, "reference": None}
        cells = 9
    elif found["check"] == "fidelity.tails":
        details["columns"][2] |= {"high": None, "train_high": None, "synthetic_high": None}
        cells = 3
    elif found["check"] == "attacks.worst":
        small = next(group for group in details["groups"] if group["n_members"] < 11)
        small |= {"n_members": None, "n_nonmembers": None}
        cells = 2
    return found | {"details": details | {"suppressed": cells, "small_cell": 11}} if cells else found


def _utility(rng: random.Random) -> list[dict[str, Any]]:
    out = []
    for model, words in (("boosting", "gradient boosting"), ("logistic", "logistic regression")):
        for metric, name, value, real in (("auc", "area under the ROC", 0.893, 0.927), ("ap", "average precision", 0.744, 0.829)):
            value, real = value - 0.01 * rng.random(), real - 0.01 * rng.random()
            details = {"target": "income", "positive": ">50K", "positive_share_holdout": 0.2393}
            details["reference_interval"] = [real - 0.005, real + 0.005]
            if metric == "auc":
                details["roc"] = {"synthetic": curve(1.76), "real": curve(2.05)}
            out.append(finding(
                f"utility.{model}.{metric}", f"{words.capitalize()}, {name}", value, interval=[value - 0.006, value + 0.006],
                reference=real, reference_is="trained on the real training rows", better="higher", details=details,
            ))  # fmt: skip
    return out


def _fairness() -> list[dict[str, Any]]:
    """Two protected columns, one of them with two groups that are too small."""
    shares = {("sex", "Female"): (0.331, 0.309, 0.112, 0.104), ("sex", "Male"): (0.669, 0.691, 0.304, 0.311),
              ("race", "White"): (0.855, 0.871, 0.255, 0.257), ("race", "Asian-Pac-Islander"): (0.031, 0.026, 0.271, 0.236),
              ("race", "Amer-Indian-Eskimo"): (0.009, 0.007, 0.12, 0.1), ("race", "Other"): (0.008, 0.0, 0.08, None),
              ("race", "Black"): (0.097, 0.091, 0.121, 0.118)}  # fmt: skip
    names = [{"column": column, "group": group} for column, group in shares]
    judged = [name["group"] not in ("Amer-Indian-Eskimo", "Other") for name in names]
    rows = {"rows": {"train": None, "holdout": 300, "synthetic": 299}}
    represented = [
        name | rows | {"train": h, "holdout": h, "synthetic": s, "interval": [0.97 * h, 1.03 * h]}
        for name, (h, s, _, _) in zip(names, shares.values(), strict=True)
    ]
    outcomes = [
        name
        | {
            "judged": j,
            "units": {"positive": 40, "negative": 260},
            "train": h,
            "holdout": h,
            "synthetic": s,
            "interval": [0.9 * h, 1.1 * h],
        }
        for name, j, (_, _, h, s) in zip(names, judged, shares.values(), strict=True)
    ]
    out = [
        finding("fairness.representation", "Largest change of a group's share", 0.022, interval=[0.018, 0.026], reference=0.004,
                reference_is="training rows vs holdout", note="No synthetic row, but at least 20 training rows: race = Other.",
                details={"groups": represented, "lost": [{"column": "race", "group": "Other"}], "most": names[0]}),
        finding("fairness.outcome", "Largest change of the share of positives in a group", 0.035, interval=[0.0, 0.08], reference=0.01,
                reference_is="training rows vs holdout",
                details={"target": "income", "positive": ">50K", "least": 20, "groups": outcomes, "most": names[3]}),
    ]  # fmt: skip
    rates = {
        "parity": [(0.13, 0.11), (0.28, 0.29), (0.25, 0.25), (0.24, 0.29), (0.1, 0.1), (0.1, 0.1), (0.13, 0.12)],
        "opportunity": [(0.61, 0.65), (0.74, 0.74), (0.72, 0.72), (0.66, 0.7), (0.6, 0.6), (0.6, 0.6), (0.61, 0.62)],
        "false_positives": [(0.05, 0.03), (0.12, 0.11), (0.09, 0.09), (0.1, 0.12), (0.1, 0.1), (0.1, 0.1), (0.04, 0.04)],
        "accuracy": [(0.93, 0.94), (0.88, 0.89), (0.89, 0.9), (0.87, 0.88), (0.9, 0.9), (0.9, 0.9), (0.91, 0.92)],
    }
    for check, pairs in rates.items():
        groups = [
            name | {"judged": j, "synthetic": s, "synthetic_interval": [s - 0.04, s + 0.04], "real": r, "real_interval": [r - 0.04, r + 0.04]}
            for name, j, (s, r) in zip(names, judged, pairs, strict=True)
        ]  # fmt: skip
        gaps = [_gap([row for row in groups if row["column"] == column and row["judged"]]) for column in ("sex", "race")]
        value, real = max((gap["value"], gap["reference"]) for gap in gaps)
        details = {"target": "income", "positive": ">50K", "named": 3506, "least": 20, "columns": gaps, "groups": groups}
        out.append(finding(f"fairness.{check}", f"Largest gap between groups: {check}", value, interval=[value - 0.01, value + 0.01], reference=real,
                           reference_is="trained on the real training rows", details=details))  # fmt: skip
    return out


def _gap(groups: list[dict[str, Any]]) -> dict[str, Any]:
    low, *_, high = sorted(groups, key=lambda row: row["synthetic"])
    value, reals = high["synthetic"] - low["synthetic"], [row["real"] for row in groups]
    reference = max(reals) - min(reals)
    difference = value - reference
    return {
        "column": low["column"], "highest": high["group"], "lowest": low["group"], "value": value, "interval": [value - 0.01, value + 0.01],
        "reference": reference, "reference_interval": [reference - 0.01, reference + 0.01], "difference": difference,
        "difference_interval": [difference - 0.03, difference + 0.03],
        "change": "wider" if difference > 0.03 else "narrower" if difference < -0.03 else "unclear",
    }  # fmt: skip


def recounted(verdict: str = "pass", **details: Any) -> dict[str, Any]:
    """The finding on what the card states, of a card that adds up and lists the table."""
    seen = "epsilon 3.2 at delta 1e-06, claimed 0.1" if verdict == "fail" else "epsilon 1 at delta 1e-06, claimed 1"
    checks = [{"check": "the claimed epsilon follows from the charges", "holds": verdict != "fail", "seen": seen}]
    told = {"checks": checks, "lists_a_table": True, "belongs": verdict == "pass"} | details
    return finding(
        "guarantee.card", "Statements of the card that do not follow", float(verdict == "fail"), verdict=verdict, details=told
    )


def _expectations() -> dict[str, Any]:
    rows = [{"expectation": "columns in the schema's order", "column": None, "met": True, "unexpected_share": None}]
    for name in COLUMNS:
        rule = "values in the public list" if name in _LABELS else "values in the public range"
        rows.append({"expectation": rule, "column": name, "met": True, "unexpected_share": 0.0})
        rows.append(
            {"expectation": "type of the schema", "column": name, "met": name != "hours_per_week", "unexpected_share": 0.0}
        )
    met = sum(row["met"] for row in rows)
    return finding("expectations.schema", "Share of expectations met", met / len(rows), reference=1, reference_is="all", better="higher",
                   verdict="fail", details={"expectations": rows})  # fmt: skip


def not_private_card() -> dict[str, Any]:
    out = card()
    out["guarantee"] |= {
        "private": False,
        "epsilon": "infinity",
        "mu": None,
        "rho": None,
        "statement": "There is no privacy guarantee.",
    }
    out["noise"] = "none"
    charge = {"note": "the whole table, unprotected", "rho": None, "delta": 0.0, "event": "NonPrivateDpEvent()"}
    out["ledger"] = {"budget_rho": None, "spent_rho": None, "failure_delta": 0.0, "charges": [charge]}
    return out


def minimal() -> dict[str, Any]:
    """A table made by some other tool: no card, checks without a number, names chosen to break out of the page."""
    columns = {
        HOSTILE: {"kind": "categorical", "labels": [HOSTILE, BREAKER]},
        BREAKER: {"kind": "float", "minimum": 0.0, "maximum": 1.0},
    }
    histograms = [
        {"column": HOSTILE, "bins": [HOSTILE, BREAKER], "train": [0.5, 0.5], "holdout": [0.4, 0.6], "synthetic": [1.0, 0.0]},
        {"column": BREAKER, "bins": [BREAKER], "train": [1.0], "holdout": [1.0], "synthetic": [0.0]},
    ]
    return {
        "format": "tabsynth.report", "version": 1, "private": False, "created": "2026-03-04T12:41:59Z", "tabsynth": "0.1.0",
        "schema": {"name": HOSTILE, "description": BREAKER, "unit": {"key": BREAKER, "max_rows": 3}, "columns": columns}, "target": None,
        "tables": {"train": {"rows": 12, "units": 5}, "holdout": {"rows": 3, "units": None}, "synthetic": {"rows": 0, "units": None}},
        "seed": 0, "card": None,
        "findings": [
            finding("fidelity.tvd1", HOSTILE, 0.4, note=BREAKER, details={
                "columns": [{"column": HOSTILE, "value": None, "reference": None}], "histograms": histograms}),
            finding("fidelity.tvd2", BREAKER, 0.5, details={"pairs": [{"columns": [HOSTILE, BREAKER], "value": 0.5, "reference": None}]}),
            finding("fidelity.tvd3", "Triples", None, note="Fewer than three columns."),
            finding("utility.boosting.auc", HOSTILE, None, note="There is no target column."),
            finding("attacks.replication", "Copies", None, note=HOSTILE),
            finding("attacks.membership", "Membership", None, note="3 non-members are too few: 100 are needed."),
            finding("attacks.ldr.raw", BREAKER, 0.6, details={"attack": "ldr", "scaling": HOSTILE, "level": "row", "tpr": [], "roc": {}}),
            finding("attacks.controls", "Controls", None, note="Too few rows."),
            finding(f"attacks.attribute.{BREAKER}", BREAKER, 0.1, details={"column": HOSTILE, "chosen": "forest", "attackers": {}}),
            finding("attacks.attribute.raw", HOSTILE, None, note=HOSTILE),
            finding("attacks.worst", HOSTILE, 0.0, details={"groups": [{"group": BREAKER, "n_members": 1, "n_nonmembers": 2, "auc": None,
                    "interval": None, "stands_out": None}]}),
            finding("novelty.parity", HOSTILE, 0.25, note=BREAKER, details={"a": HOSTILE}),
        ],
        "environment": {"python": "3.11.7", "platform": BREAKER, "packages": {HOSTILE: BREAKER}}, "seconds": 0.4,
    }  # fmt: skip


def hostile_card() -> dict[str, Any]:
    """A card in which every text that a user or a table can choose tries to break out of the page."""
    out = card()
    out["schema"] = minimal()["schema"]
    out["guarantee"] |= {"unit": {"key": BREAKER, "max_rows": 3}, "statement": HOSTILE, "mu": None}
    out["ledger"]["charges"] = [{"note": text, "rho": 0.014, "delta": 0.0, "event": text} for text in (HOSTILE, BREAKER)]
    out["model"] = {"name": HOSTILE, "chosen": BREAKER, "seed": None, "settings": {HOSTILE: BREAKER}}
    out["bought"] = [{"column": HOSTILE, "what": BREAKER, "size": 1}]
    out["limits"], out["environment"] = [HOSTILE, BREAKER], {HOSTILE: BREAKER}
    return out


def wide(columns: int) -> dict[str, Any]:
    """A report on a table with many columns."""
    out, names = report(), [f"laboratory_value_{i:03d}_at_admission" for i in range(columns)]
    pairs = [{"columns": list(p), "value": 0.05, "reference": 0.04} for p in combinations(names, 2)]
    rng = random.Random(3)
    histograms = [_histogram("age", rng) | {"column": name} for name in names]
    distances = [{"column": name, "value": 0.02, "reference": 0.01} for name in names]
    for item in out["findings"]:
        if item["check"] == "fidelity.tvd1":
            item["details"] = {"columns": distances, "histograms": histograms}
        if item["check"] == "fidelity.tvd2":
            item["details"] = {"pairs": pairs}
    out["schema"]["columns"] = {name: {"kind": "float", "minimum": 0, "maximum": 1} for name in names}
    return out
