"""What a card's guarantee means for one person, as the odds of an attack. Computed from the card alone, so it may be published."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

from tabsynth.report.guarantee import RATES, highest_advantage, highest_tpr, is_private

PRIORS = (0.01, 0.1, 0.5)
"""Beliefs beforehand in the table that is always there."""
_PRIOR_STOPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
_RATE_STOPS = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5)
_START = {"prior": _PRIOR_STOPS.index(0.1), "rate": _RATE_STOPS.index(0.01)}

SCRIPT = """
(() => {
  const box = document.getElementById("odds");
  const {priors, rates, ceilings} = JSON.parse(box.dataset.curve);
  const [prior, rate] = box.querySelectorAll("input");
  const [belief, right, named] = box.querySelectorAll("output strong");
  const short = (x) => Number(x.toPrecision(3)).toLocaleString("en", {maximumFractionDigits: 12}).replaceAll(",", "\\u202f");
  const percent = (x) => short(100 * x) + "\\u00a0%";
  const update = () => {
    const p = priors[prior.value], fpr = rates[rate.value], tpr = ceilings[rate.value];
    for (const [input, share] of [[prior, p], [rate, fpr]]) {
      input.setAttribute("aria-valuetext", percent(share));
      input.parentElement.querySelector(".value").textContent = percent(share);
    }
    belief.textContent = percent(p * tpr / (p * tpr + (1 - p) * fpr));
    right.textContent = short(p * tpr / ((1 - p) * fpr));
    named.textContent = percent(tpr);
  };
  box.addEventListener("input", update);
  update();
  box.hidden = false;
})();
"""
"""Moves the numbers when a slider is moved. The curve stands in the page; only Bayes' rule is applied here."""


def highest_belief(prior: float, fpr: float, tpr: float) -> float:
    """Share of right namings among all namings (precision), where a share `prior` of those in question are members.

    Parameters
    ----------
    prior : float
        Probability, before the release is seen, that the person is in the table; in (0, 1).
    fpr, tpr : float
        Shares of outsiders named wrongly, in (0, 1], and of members named rightly. It grows with `tpr`, so the highest `tpr` that the
        guarantee allows at `fpr` gives the highest belief that any attacker with this `fpr` can have in a naming, on average over
        all that the release may have turned out to be.

    Notes
    -----
    Bayes' rule on the trade-off curve of Dong, Roth and Su (2022), section 2; the positive predictive value of Jayaraman, Wang,
    Knipmeyer, Gu and Evans, "Revisiting membership inference under realistic assumptions" (2021), whose gamma is (1 - prior) / prior.
    As `fpr` falls it rises, to exp(epsilon) times the odds beforehand where delta is 0, and towards 1 otherwise: it means little
    without the share of members that are named.
    """
    return prior * tpr / (prior * tpr + (1.0 - prior) * fpr)


def right_for_each_alarm(prior: float, fpr: float, tpr: float) -> float:
    """True positives for each false positive, the odds of `highest_belief`: the likelihood ratio times the odds beforehand."""
    return prior * tpr / ((1.0 - prior) * fpr)


def odds(card: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the pages show of the odds, or None where the card gives no guarantee.

    The words follow NIST SP 800-226 (2025): a guarantee is for a unit of privacy, and bounds what the release adds to what an attacker
    believes already. The use of the trade-off curve as operational risk is that of Kulynych et al., "Attack-aware noise calibration for
    differential privacy" (2024), and "Unifying re-identification, attribute inference, and data reconstruction risks" (2025).

    Returns
    -------
    dict or None
        ``table``: for each of `PRIORS` the belief and the right namings for each false alarm at each of `RATES`; ``advantage``;
        ``curve``, ``start`` and ``script`` of the sliders, with the script's hash for the page's content security policy.
    """
    advantage = highest_advantage(card)
    if not is_private(card) or advantage is None:
        return None
    return {
        "unit": card["guarantee"].get("unit") or {},
        "rates": RATES,
        "table": [(prior, [_cell(card, prior, fpr) for fpr in RATES]) for prior in PRIORS],
        "advantage": advantage,
        "curve": {"priors": _PRIOR_STOPS, "rates": _RATE_STOPS, "ceilings": [highest_tpr(card, fpr) for fpr in _RATE_STOPS]},
        "start": _START,
        "rarest": (RATES[0], highest_tpr(card, RATES[0])),
        "digits": digits,
        "script": SCRIPT,
        "hash": "sha256-" + base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode(),
    }


def digits(value: float) -> float:
    """Rounded to three significant digits, as the script does."""
    return float(f"{value:.3g}")


def _cell(card: dict[str, Any], prior: float, fpr: float) -> dict[str, float]:
    tpr = highest_tpr(card, fpr)
    return {"belief": highest_belief(prior, fpr, tpr), "right": right_for_each_alarm(prior, fpr, tpr)}
