"""What epsilon means for one person: the numbers against other formulas, the table in the pages, the sliders in a browser."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from tabsynth.report import card, report
from tabsynth.report.guarantee import RATES, highest_advantage, highest_tpr
from tabsynth.report.odds import SCRIPT, highest_belief, odds, right_for_each_alarm

from . import sample
from .browser import Browser
from .test_html import Page


def claimed(epsilon: float = 1.0, delta: float = 1e-5, mu: float | None = None, failure: float = 0.0, **unit: Any) -> dict:
    """The sample card with another guarantee."""
    out = sample.card()
    out["guarantee"] |= {"epsilon": epsilon, "delta": delta, "mu": mu} | ({"unit": unit} if unit else {})
    out["ledger"]["failure_delta"] = failure
    return out


@pytest.mark.parametrize(
    ("epsilon", "alone", "mu", "gaussian", "advantage"),
    [
        (0.5, (0.0017, 0.0165, 0.165), 0.142, (0.0016, 0.0145, 0.127), 0.057),
        (1, (0.0027, 0.0272, 0.272), 0.268, (0.0024, 0.0198, 0.155), 0.107),
        (2, (0.0074, 0.0739, 0.739), 0.502, (0.0048, 0.034, 0.218), 0.198),
        (4, (0.055, 0.546, 0.984), 0.925, (0.0152, 0.0805, 0.361), 0.356),
        (8, (1, 1, 1), 1.666, (0.0772, 0.2545, 0.650), 0.595),
        (10, (1, 1, 1), 2.000, (0.138, 0.372, 0.764), 0.683),
    ],
)
def test_the_published_table(epsilon, alone, mu, gaussian, advantage):
    """To the digits that are printed there; mu is rounded too, which moves the rates by up to 2 in the last digit."""
    assert [highest_tpr(claimed(epsilon), fpr) for fpr in RATES] == pytest.approx(alone, rel=0.02, abs=5e-4)
    assert [highest_tpr(claimed(mu=mu), fpr) for fpr in RATES] == pytest.approx(gaussian, rel=2e-2)
    assert highest_advantage(claimed(mu=mu)) == pytest.approx(advantage, abs=6e-4)


def test_the_worked_example_of_precision():
    """Of an attack with 22.6 % of members named at 1 % false alarms: .96 at one half, .19 at one hundredth."""
    assert highest_belief(0.5, 0.01, 0.226) == pytest.approx(0.96, abs=0.005)
    assert highest_belief(0.01, 0.01, 0.226) == pytest.approx(0.19, abs=0.005)


@pytest.mark.parametrize(("epsilon", "delta"), [(0.5, 0.0), (1.0, 1e-5), (3.0, 0.01), (8.0, 1e-6)])
def test_epsilon_and_delta_against_the_worst_release_there_is(epsilon, delta):
    """The release with four outcomes that dominates every (epsilon, delta) one: each test on it, and Bayes' rule, by enumeration."""
    low = (1 - delta) / (1 + math.exp(epsilon))
    member, outsider = np.array([delta, low * math.exp(epsilon), low, 0]), np.array([0, low, low * math.exp(epsilon), delta])
    sets = [list(chosen) for size in range(5) for chosen in itertools.combinations(range(4), size)]
    corners = [(outsider[chosen].sum(), member[chosen].sum()) for chosen in sets]
    for fpr in (*RATES, 0.4):
        mixed = [
            t0 + (t1 - t0) * (fpr - f0) / (f1 - f0) for f0, t0 in corners for f1, t1 in corners if f0 <= fpr <= f1 and f0 < f1
        ]
        assert highest_tpr(claimed(epsilon, delta), fpr) == pytest.approx(max(mixed), rel=1e-9)
    assert highest_advantage(claimed(epsilon, delta)) == pytest.approx(max(t - f for f, t in corners), rel=1e-9)
    named = 0.1 * member[1] / (0.1 * member[1] + 0.9 * outsider[1])
    assert highest_belief(0.1, outsider[1], member[1]) == pytest.approx(named)


@pytest.mark.parametrize("prior", [0.01, 0.1, 0.5, 0.9])
def test_without_delta_the_odds_grow_by_exp_epsilon_and_no_more(prior):
    tpr = highest_tpr(claimed(1.0, 0.0), 0.01)
    assert highest_belief(prior, 0.01, tpr) == pytest.approx(prior * math.e / (1 - prior + prior * math.e))
    assert right_for_each_alarm(prior, 0.01, tpr) == pytest.approx(math.e * prior / (1 - prior))


@pytest.mark.parametrize("mu", [0.05, 0.2366, 1.0, 2.5, 6.0])
def test_gaussian_odds_against_densities(mu):
    """Members score N(mu, 1), outsiders N(0, 1); a million people at one threshold, and the whole curve's largest gap."""
    threshold = norm.isf(0.01)
    members, outsiders = 1e6 * 0.1 * norm.sf(threshold - mu), 1e6 * 0.9 * norm.sf(threshold)
    tpr = highest_tpr(claimed(mu=mu), 0.01)
    assert highest_belief(0.1, 0.01, tpr) == pytest.approx(members / (members + outsiders), rel=1e-9)
    assert right_for_each_alarm(0.1, 0.01, tpr) == pytest.approx(members / outsiders, rel=1e-9)
    x = np.linspace(-12, 18, 200_001)
    distance = np.abs(norm.pdf(x - mu) - norm.pdf(x)).sum() * (x[1] - x[0]) / 2
    assert highest_advantage(claimed(mu=mu)) == pytest.approx(distance, abs=1e-6)


@given(
    st.floats(0.001, 0.99),
    st.floats(1e-4, 0.5),
    st.floats(0.01, 900),
    st.floats(0, 0.1),
    st.none() | st.floats(0, 8),
    st.floats(0, 0.01),
)
@settings(max_examples=200, deadline=None)
def test_what_always_holds(prior, fpr, epsilon, delta, mu, failure):
    data = claimed(epsilon, delta, mu, failure)
    tpr, advantage = highest_tpr(data, fpr), highest_advantage(data)
    belief, right = highest_belief(prior, fpr, tpr), right_for_each_alarm(prior, fpr, tpr)
    assert fpr - 1e-12 <= tpr <= 1
    assert tpr - fpr <= advantage + 1e-12 <= 1 + 2e-12
    assert prior - 1e-9 <= belief <= 1
    assert belief == pytest.approx(right / (1 + right))
    assert highest_belief(prior, fpr / 2, highest_tpr(data, fpr / 2)) >= belief - 1e-9


def test_a_step_that_may_fail_raises_the_odds():
    sure, unsure = odds(claimed(mu=0.5)), odds(claimed(mu=0.5, failure=0.001))
    assert unsure["advantage"] == pytest.approx(sure["advantage"] + 0.001)
    assert all(
        u["belief"] > s["belief"]
        for (_, a), (_, b) in zip(unsure["table"], sure["table"], strict=True)
        for u, s in zip(a, b, strict=True)
    )


def test_no_guarantee_no_odds_and_no_script():
    overspent = sample.card()
    overspent["ledger"]["spent_rho"] = 1.0
    for data in (overspent, sample.not_private_card()):
        assert odds(data) is None
        assert "<script" not in card(data)
        assert "script-src" not in card(data)
    assert odds(None) is None
    assert "What epsilon" not in card(overspent)


def test_the_odds_need_nothing_but_the_guarantee():
    data = sample.card()
    bare = {
        "guarantee": data["guarantee"],
        "ledger": {k: data["ledger"][k] for k in ("budget_rho", "spent_rho", "failure_delta")},
    }
    assert odds(bare) == odds(data)


@pytest.mark.parametrize("page", ["card", "report"])
def test_the_table_is_there_without_a_script(page):
    html = card(sample.card()) if page == "card" else report(sample.report())
    section = re.search(r'<section id="guarantee".*?</section>', html, re.DOTALL)[0]
    seen = [part.replace("\xa0", " ") for part in Page(section).text]
    for prior in (0.01, 0.1, 0.5):
        for fpr in (0.001, 0.01, 0.1):
            tpr = norm.sf(norm.isf(fpr) - 0.2366) + 1e-7
            belief = prior * tpr / (prior * tpr + (1 - prior) * fpr)
            assert f"{100 * belief:.3g} %" in seen
            assert f"{belief / (1 - belief):.3g} to 1" in seen
    assert re.search(r'<div class="odds" id="odds" data-curve=\'[^\']*\' hidden>', section)
    text = " ".join(seen)
    assert "better chance than 54.7 %, where guessing has 50 %" in text
    assert f"at most {100 * norm.sf(norm.isf(0.001) - 0.2366):.3g} % of them" in text
    assert "no attack was run for them" in text


def test_the_unit_is_named():
    whole = " ".join(Page(card(claimed(mu=0.3, key="patient", max_rows=5))).text)
    assert "protects any one “patient” as a whole: at most 5 of the rows that share this value were used." in whole
    assert "protects any one row. Somebody with several rows in the table is protected less." in " ".join(
        Page(card(sample.card())).text
    )


def test_only_our_own_script_may_run():
    html = card(sample.hostile_card())
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1]
    body = re.search(r"<script>(.*?)</script>", html, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert policy == f"default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{digest}'"
    assert body == SCRIPT
    assert len(SCRIPT.strip().splitlines()) <= 40


NUMBERS = "[...document.querySelectorAll('#odds output strong')].map(e => e.textContent)"


def _shown(value: float) -> str:
    return f"{float(f'{value:.3g}'):,.10g}".replace(",", "\u202f")


@pytest.mark.parametrize(
    "data", [sample.card(), claimed(8.0, 1e-6), claimed(mu=4.5, failure=1e-7)], ids=["small", "loose", "large"]
)
def test_the_sliders_say_what_python_computes(browser: Browser, tmp_path: Path, data: dict):
    page = tmp_path / "card.html"
    page.write_text(card(data), encoding="utf-8")
    browser.open(page)
    curve = odds(data)["curve"]
    for i, prior in enumerate(curve["priors"]):
        for j, fpr in enumerate(curve["rates"]):
            move = "".join(f"document.getElementById('odds-{n}').value = {v};" for n, v in (("prior", i), ("rate", j)))
            seen = browser.evaluate(
                f"{move} document.getElementById('odds-rate').dispatchEvent(new Event('input', {{bubbles: true}})); {NUMBERS}"
            )
            tpr = highest_tpr(data, fpr)
            belief, right = highest_belief(prior, fpr, tpr), right_for_each_alarm(prior, fpr, tpr)
            assert seen == [f"{_shown(100 * belief)}\xa0%", _shown(right), f"{_shown(100 * tpr)}\xa0%"], (prior, fpr)
    assert browser.complaints() == []


@pytest.mark.parametrize("name", ["card", "report"])
@pytest.mark.parametrize("width", [1280, 390])
def test_the_sliders_work_by_keyboard_and_tell_what_they_say(browser: Browser, pages: dict[str, Path], name: str, width: int):
    browser.open(pages[name], width=width)
    before = browser.evaluate(NUMBERS)
    assert browser.evaluate("document.getElementById('odds').checkVisibility()")
    browser.evaluate("document.getElementById('odds-prior').focus()")
    browser.press("ArrowRight")
    after = browser.evaluate(NUMBERS)
    assert after[2] == before[2]
    assert float(after[1]) == pytest.approx(float(before[1]) * (0.2 / 0.8) / (0.1 / 0.9), rel=0.01)
    slider = "document.getElementById('odds-prior')"
    assert browser.evaluate(f"{slider}.getAttribute('aria-valuetext')") == "20\xa0%"
    assert browser.evaluate(f"{slider}.labels[0].textContent") == "Belief beforehand"
    assert browser.evaluate(f"{slider}.parentElement.querySelector('.value').textContent") == "20\xa0%"
    assert browser.evaluate(f"getComputedStyle({slider}).outlineStyle") == "solid"
    assert browser.evaluate(f"{slider}.getBoundingClientRect().height") >= 24
    assert browser.complaints() == []


def test_without_scripts_and_in_print_the_table_stands_alone(browser: Browser, pages: dict[str, Path]):
    shown = "['.odds-table', '#odds'].map(s => document.querySelector(s).checkVisibility())"
    browser.open(pages["card"], width=665, media="print")
    assert browser.evaluate(shown) == [True, False]
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(pages["card"])
        assert browser.evaluate(shown) == [True, False]
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)
    browser.open(pages["card"])
    assert browser.evaluate(shown) == [True, True]


def test_a_foreign_script_in_the_page_does_not_run(browser: Browser, tmp_path: Path):
    page = tmp_path / "card.html"
    page.write_text(card(sample.card()).replace("<main", "<script>document.title = 'taken'</script><main"), encoding="utf-8")
    browser.open(page)
    assert browser.evaluate("document.title").startswith("Synthetic data card")
    assert "script-src" in json.dumps(browser.complaints())
