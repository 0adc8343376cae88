"""Made-up findings of attacks, in the shapes that the validation writes. No number here was measured on anything."""

from __future__ import annotations

import random
from collections.abc import Iterator
from statistics import NormalDist
from typing import Any

SCALINGS = ("raw", "standardised", "rank")
WORDS = {
    "dcr": "distance to the closest record", "dcr_diff": "calibrated distance to the closest record", "ldr": "log distance ratio",
    "nndr": "nearest-neighbour distance ratio", "monte_carlo": "synthetic rows in a small ball",
    "neighbourhood": "synthetic rows in the neighbourhood", "plagiarism": "data plagiarism index", "density": "density",
    "domias": "density ratio (DOMIAS)", "gen_lra": "likelihood ratio (Gen-LRA)", "classifier": "classifier",
    "logan": "neural network (LOGAN)",
}  # fmt: skip
LEVELS = {"row": "rows", "unit": "whole units (mean of their rows)", "profile": "whole units (their aggregates)"}
N = 7326


def finding(check: str, title: str, value: float | None, **rest: Any) -> dict[str, Any]:
    empty = {
        "interval": None,
        "reference": None,
        "reference_is": "",
        "better": "lower",
        "verdict": None,
        "note": "",
        "details": {},
    }
    return {"check": check, "title": title, "value": value, **empty, **rest}


def curve(mu: float) -> dict[str, list[float]]:
    normal = NormalDist()
    fpr = [10 ** (-4 + 4 * i / 100) for i in range(100)] + [1.0]
    return {"fpr": [round(f, 6) for f in fpr], "tpr": [round(normal.cdf(normal.inv_cdf(f) + mu), 6) for f in fpr[:-1]] + [1.0]}


def names() -> Iterator[tuple[str, str, str]]:
    """Attack, scaling and level of every membership score."""
    for level in LEVELS:
        for attack in WORDS if level != "profile" else ("dcr", "ldr", "nndr"):
            fewer = {"density": 1, "domias": 1, "gen_lra": 1, "classifier": 2, "logan": 2}.get(attack, 0)
            for scaling in {0: SCALINGS, 1: SCALINGS[1:], 2: SCALINGS[1:2]}[fewer]:
                yield attack, scaling, level


def attacks(rng: random.Random) -> list[dict[str, Any]]:
    scores = [_score(*name, rng) for name in names()]
    details = {"attack": "ensemble", "scaling": "all", "level": "unit"} | _rates(rng) | {"roc": curve(0.01)}
    ensemble = finding("attacks.ensemble", "Membership by all 67 scores together, trained on half (AUC)", 0.503, interval=[0.494, 0.512],
                       reference=0.5, reference_is="chance", note="This attacker knows who is a member for half.", details=details)  # fmt: skip
    return [
        _replication(), *scores, _familywise(), _membership(), ensemble, _worst(), *map(_attribute, ("income", "occupation", "age")),
        _singling_out(), _linkability(), _regenerations(), _controls(),
    ]  # fmt: skip


def _score(attack: str, scaling: str, level: str, rng: random.Random) -> dict[str, Any]:
    value = 0.5 + rng.uniform(-0.008, 0.009)
    known = {"attack": attack, "scaling": scaling, "level": level}
    return finding(
        f"attacks.{attack}.{scaling}{'' if level == 'row' else f'.{level}'}",
        f"Membership by {WORDS[attack]}, {scaling} columns, of {LEVELS[level]} (AUC)", value,
        interval=[value - 0.0093, value + 0.0093], reference=0.5, reference_is="chance",
        details=known | _rates(rng) | {"roc": curve(3.5 * (value - 0.5))},
    )  # fmt: skip


def _rates(rng: random.Random) -> dict[str, Any]:
    rates = []
    for fpr in (0.1, 0.01, 0.001, 0):
        tp = int(N * fpr * rng.uniform(0.8, 1.3)) + (1 if fpr == 0 else 0)
        row = {"fpr": fpr, "tp": tp, "fp": int(N * fpr), "tpr": tp / N, "fpr_upper": 1.1 * fpr, "note": ""}
        row["interval"] = [0.8 * tp / N, 1.25 * tp / N]
        if fpr == 0.001:
            row |= {"tp": None, "fp": None, "tpr": None, "interval": None, "fpr_upper": None, "note": "needs 10,000 non-members"}
        rates.append(row)
    return {"n_members": N, "n_nonmembers": N, "mde_auc": 0.513, "tpr": rates}


def _familywise() -> dict[str, Any]:
    rows = [{"attack": f"{attack}.{scaling}{'' if level == 'row' else f'.{level}'}", "auc": 0.51, "auc_sd": 0.005, "auc_z": 2.0, "top": 80.0,
             "top_z": 0.9, "p": 0.0315 if (attack, level) == ("ldr", "unit") else 0.9} for attack, scaling, level in names()]  # fmt: skip
    rows.sort(key=lambda row: row["p"])
    return finding(
        "attacks.familywise", "Chance that attacks which know nothing would do as well as the best of these", 0.0315, reference=0.05,
        reference_is="level", better="higher", note="3 of 67 attacks did better than chance.",
        details={"p": 0.0315, "critical": 3.6, "permutations": 2000, "level": 0.05, "attacks": rows},
    )  # fmt: skip


def _membership() -> dict[str, Any]:
    shares = ((0.5, 0.532, [0.402, 0.66]), (0.1, 0.1123, [0.0695, 0.1774]), (0.01, None, [None, None]))
    details = {"chosen": "ldr.rank.unit", "fpr": 0.01, "tp": 41, "n_members": 3663, "fp": 36, "n_nonmembers": 3663, "upper_all": 0.0163,
               "attacks": 67, "tolerance": 0.034, "mu_tolerance": 0.5, "familywise_p": 0.0315, "mde_auc": 0.516, "needed_nonmembers": 1000,
               "precision": [dict(zip(("prior", "precision", "interval"), share, strict=True)) for share in shares]}  # fmt: skip
    return finding("attacks.membership", "Members identified by the strongest attack", 0.0112, interval=[0.0081, 0.0152], reference=0.01,
                   reference_is="chance", verdict="pass", details=details)  # fmt: skip


def _worst() -> dict[str, Any]:
    def group(name: str, auc: float | None, half: float) -> dict[str, Any]:
        judged = {} if auc is None else {"auc": auc, "interval": [auc - half, auc + half], "stands_out": auc - half > 0.5}
        counts = {"n_members": 366 if judged else 9, "n_nonmembers": 367 if judged else 11}
        return {"group": name, **counts, "auc": None, "interval": None, "stands_out": None, "tpr": []} | judged

    groups = [group(f"vulnerability, tenth {i + 1} of 10", 0.495 + 0.002 * i, 0.06) for i in range(10)]
    groups += [group("vulnerability, highest 1 %", None, 0), group("race = Black", 0.571, 0.05), group("sex = Male", 0.503, 0.03)]
    details = {"groups": groups, "judged": 12, "auc_all": 0.507, "interval_all": [0.4975, 0.5165]}
    return finding("attacks.worst", "Groups of units in which the strongest attack beats chance", 1.0, reference=0.0,
                   note="12 groups were judged; the intervals hold for all of them together.", details=details)  # fmt: skip


def _attribute(column: str) -> dict[str, Any]:
    def attacker(members: int, others: int) -> dict[str, Any]:
        gap = (members - others) / 5000
        weighted = {"accuracy_members": 0.31, "accuracy_nonmembers": 0.3, "difference": 0.01, "interval": [-0.02, 0.04]}
        sure = {"guessed": 500, "right": 480, "units": 5000, "precision": 0.96, "recall": 0.096}
        return {
            "members": members, "n_members": 5000, "nonmembers": others, "n_nonmembers": 5000, "accuracy_members": members / 5000,
            "accuracy_nonmembers": others / 5000, "difference": gap, "interval": [gap - 0.017, gap + 0.017],
            "simultaneous": [gap - 0.027, gap + 0.027], "baseline_members": 0.761, "baseline_nonmembers": 0.7585,
            "population_inference": 0.05, "rarity_weighted": weighted,
            "confident": {"quantile": 0.9, "members": sure, "nonmembers": sure, "precision_interval": [-0.03, 0.03]},
        }  # fmt: skip

    attackers = {
        "nearest row": attacker(3920, 3915),
        "forest": attacker(4100, 4050),
        "boosting": attacker(4170, 4160) | {"confident": None},
    }
    return finding(
        f"attacks.attribute.{column}", f"Guessing '{column}' from the other columns", 0.006, interval=[-0.018, 0.03], reference=0.0,
        reference_is="guessed no more often than for unseen units", verdict="pass", note="A long note.",
        details={"column": column, "chosen": "boosting", "attackers": attackers, "family": 9, "tolerated": 0.05,
                 "tolerance": 0.05 if column == "age" else None, "synthetic_rows": 34170,
                 "power": {"training rows": True, "5 % copies": False}, "blind": False, "harmless": False,
                 "ceiling": {"training rows": {"difference": 0.31, "simultaneous": [0.28, 0.34], "most": 0.34},
                             "5 % copies": {"difference": 0.012, "simultaneous": [-0.015, 0.039], "most": 0.039}}},
    )  # fmt: skip


def residual(members: float, others: float, n: int, **known: Any) -> dict[str, Any]:
    gap = (members - others) / n
    return known | {
        "members": members, "n_members": n, "nonmembers": others, "n_nonmembers": n, "rate_members": members / n,
        "rate_nonmembers": others / n, "difference": gap, "difference_interval": [gap - 0.02, gap + 0.02], "residual_risk": 1.1 * gap,
        "interval": [1.1 * gap - 0.02, 1.1 * gap + 0.02], "simultaneous": [1.1 * gap - 0.03, 1.1 * gap + 0.03], "design_effect": 1.3,
    }  # fmt: skip


def _singling_out() -> dict[str, Any]:
    results = [residual(304.0, 211.0, 2000, kind="univariate"), residual(381.0, 378.0, 2000, kind="multivariate")]
    details = {
        "results": results,
        "ceiling": [residual(1900.0, 211.0, 2000, kind="univariate")],
        "copies": [residual(260.0, 211.0, 2000, kind="univariate")],
        "power": {"training rows": True, "5 % copies": False},
        "blind": False,
        "records_a_side": 14652,
        "tolerated": 0.09,
    }
    return finding("attacks.singling_out", "Descriptions that fit exactly one training record", results[1]["residual_risk"],
                   interval=results[1]["interval"], reference=0.0, verdict="pass", note="The value is for several columns.",
                   details=details)  # fmt: skip


def _linkability() -> dict[str, Any]:
    results = [residual(10.2 * k, 9.8 * k, 5000, neighbours=k, rates_by_split=[[0.002, 0.002]]) for k in (1, 5, 10)]
    return finding("attacks.linkability", "Linking the two halves of a record", results[0]["residual_risk"],
                   interval=results[0]["interval"], reference=0.0, verdict="pass", note="The value is for the nearest row.",
                   details={"results": results, "splits": 5, "scaling": "rank", "tolerated": 0.09})  # fmt: skip


def _regenerations() -> dict[str, Any]:
    """Three tables from one model, attacked with what is always run again; the chosen attack is among that."""
    auc, rate = {"min": 0.4961, "median": 0.5032, "max": 0.5074}, {"min": 0.0093, "median": 0.0101, "max": 0.0112}
    rows = [
        {"check": f"attacks.{attack}.{scaling}.unit", "auc": auc, "tpr": rate}
        for attack in ("dcr", "ldr")
        for scaling in SCALINGS
    ]
    copies = [{"members": 61 - i, "n_members": 34190, "holdout": 24 + i, "n_holdout": 14652} for i in range(3)]
    return finding("attacks.regenerations", "Membership by the chosen attack, on the most revealing of several tables", 0.5074,
                   reference=0.5, reference_is="chance", note="3 tables, the one under judgement among them.",
                   details={"tables": 3, "fpr": 0.01, "attacks": rows, "copies": copies})  # fmt: skip


def _controls() -> dict[str, Any]:
    band = {"low": 0.4867, "high": 0.5133, "ok": True}
    gates = [{"name": "exact rows shared by members and non-members", "value": 12, "low": None, "high": None, "ok": None}]
    gates += [{"name": f"real rows as synthetic: {WORDS[attack]}, {scaling}", "value": 0.4962, **band} for attack, scaling, level in names()
              if level == "row"]  # fmt: skip
    gates += [{"name": "reference-only score", "value": 0.5071, **band}]
    return finding(
        "attacks.controls", "Control gates outside their band", 0, reference=0, verdict="pass", details={"gates": gates}
    )


def _replication() -> dict[str, Any]:
    levels = [
        {"label": "exact copy", "tau": 0, "members": 61, "n_members": 34190, "holdout": 24, "n_holdout": 14652, "rate_members": 61 / 34190,
         "rate_holdout": 24 / 14652, "excess": 61 / 34190 - 24 / 14652, "interval": [-0.0008, 0.0009]},
        {"label": "closest 0.1 % of holdout rows", "tau": 0.0312, "members": 39, "n_members": 34190, "holdout": 15, "n_holdout": 14652,
         "rate_members": 39 / 34190, "rate_holdout": 15 / 14652, "excess": 39 / 34190 - 15 / 14652, "interval": [-0.0006, 0.0007]},
        {"label": "closest 1 % of holdout rows", "tau": 0.0875, "members": 351, "n_members": 34190, "holdout": 147, "n_holdout": 14652,
         "rate_members": 351 / 34190, "rate_holdout": 147 / 14652, "excess": 351 / 34190 - 147 / 14652, "interval": [-0.0017, 0.0021]},
    ]  # fmt: skip
    return finding(
        "attacks.replication", "Exact and near copies", levels[0]["excess"], interval=levels[0]["interval"], reference=0,
        verdict="pass", reference_is="no excess over the holdout", details={"levels": levels, "distinct_copied": 40},
    )  # fmt: skip
