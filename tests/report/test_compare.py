"""Several releases beside each other: which is beaten, what all cost together, what is said about them, and what is refused."""

from __future__ import annotations

import copy
import itertools
import json
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq
from scipy.stats import norm

from tabsynth.errors import OptionError
from tabsynth.release import write_json
from tabsynth.report import compare
from tabsynth.report.frontier import (
    APART,
    BEATEN,
    ON,
    UNJUDGED,
    Entry,
    Measure,
    Measured,
    _across,
    beaten_by,
    no_gain_over,
    standings,
)
from tabsynth.report.together import epsilon_of, together

from . import sample
from . import sample_compare as samples
from .browser import Browser
from .test_html import Page

SECTIONS = ["which", "frontier", "together", "claims", "made", "numbers", "columns", "differences", "limits"]


def words(html: str) -> str:
    """The text of a page, in one line."""
    return " ".join(Page(html).text)


def section(html: str, name: str) -> str:
    return html.split(f'<section id="{name}"')[1].split("<section ")[0]


# Which is beaten


def entry(i: int, epsilon: float, failed: frozenset[str] = frozenset()) -> Entry:
    return Entry("ABCDEFGHIJKL"[i], str(i), epsilon, math.inf if epsilon == math.inf else 1e-6, failed)


def exactly(value: float, half: float) -> Measured:
    return Measured(value, (value - half, value + half))


releases_of_all_kinds = st.lists(
    st.tuples(
        st.sampled_from([0.5, 1.0, 2.0, math.inf]),
        st.none() | st.sampled_from([0.6, 0.7, 0.8, 0.9]),
        st.none() | st.sampled_from([0.1, 0.2, 0.3]),
        st.sampled_from([0.0, 0.04, 0.06]),
        st.frozensets(st.sampled_from(["copies", "membership"])),
    ),
    min_size=2,
    max_size=6,
)


@given(releases_of_all_kinds)
@settings(max_examples=150, deadline=None)
def test_who_beats_whom_by_going_through_all_pairs(rows):
    entries = [entry(i, row[0], row[4]) for i, row in enumerate(rows)]
    useful = Measure("useful", [row[1] and exactly(row[1], row[3]) for row in rows], higher=True)
    distance = Measure("distance", [row[2] and exactly(row[2], row[3]) for row in rows])
    beaten, kinds = beaten_by(entries, [useful, distance]), standings(entries, [useful, distance])
    for (i, a), (j, b) in itertools.permutations(enumerate(rows), 2):
        known = None not in (a[1], a[2], b[1], b[2])
        better = known and a[1] - a[3] > b[1] + b[3] and a[2] + a[3] < b[2] - b[3]
        assert (i in beaten[j]) == (better and a[0] <= b[0] and a[4] <= b[4])
    for i, row in enumerate(rows):
        assert i not in beaten[i]
        assert (kinds[i] == UNJUDGED) == (None in row[1:3])
        assert (kinds[i] == BEATEN) == bool(beaten[i])
        assert not beaten[i] or any(kinds[j] in (ON, APART) for j in beaten[i])
        assert kinds[i] != ON or row[0] < math.inf


@pytest.mark.parametrize(
    ("epsilons", "aucs", "half", "says"),
    [
        ((1, 1), (0.8, 0.9), 0.01, [[1], []]),
        ((1, 2), (0.9, 0.8), 0.01, [[], [0]]),
        ((1, 2), (0.8, 0.9), 0.01, [[], []]),
        ((1, 1), (0.8, 0.82), 0.011, [[], []]),
        ((1, 1), (0.8, 0.82), 0.009, [[1], []]),
        ((1, math.inf), (0.9, 0.8), 0.01, [[], [0]]),
    ],
)
def test_the_better_and_cheaper_one_beats(epsilons, aucs, half, says):
    assert (
        beaten_by([entry(i, e) for i, e in enumerate(epsilons)], [Measure("", [exactly(a, half) for a in aucs], higher=True)])
        == says
    )


def test_a_weaker_delta_a_failed_claim_or_the_other_measure_saves_from_being_beaten():
    good, bad = Measure("", [Measured(0.1), Measured(0.2)]), Measure("", [Measured(0.2), Measured(0.1)])
    a, b = entry(0, 1.0), entry(1, 1.0)
    assert beaten_by([a, b], [good]) == [[], [0]]
    assert beaten_by([a, b], [good, bad]) == [[], []]
    assert beaten_by([Entry("A", "a", 1.0, 1e-3), b], [good]) == [[], []]
    assert beaten_by([entry(0, 1.0, frozenset({"copies"})), b], [good]) == [[], []]
    assert beaten_by([a, b], []) == [[], []]


def test_a_number_without_an_interval_is_uncertain_by_a_twentieth():
    assert not Measure("", [Measured(0.100), Measured(0.1104)]).clearly_better(0, 1)
    assert Measure("", [Measured(0.100), Measured(0.1106)]).clearly_better(0, 1)


def test_paying_more_for_nothing_is_noticed():
    measure = Measure("", [exactly(0.88, 0.01), exactly(0.89, 0.01), exactly(0.95, 0.01), None], higher=True)
    entries = [entry(i, e) for i, e in enumerate((1.0, 5.0, 5.0, 9.0))]
    assert no_gain_over(entries, [measure]) == [[], [0], [], []]
    assert no_gain_over([entries[1], entries[2]], [Measure("", measure.values[1:3], higher=True)]) == [[], []]


@given(st.lists(st.floats(1e-3, 1e3) | st.just(math.inf) | st.just(1.0), min_size=2, max_size=12))
@settings(max_examples=100, deadline=None)
def test_releases_stand_in_order_apart_and_inside_the_picture(epsilons):
    across = _across(epsilons)
    order = sorted(range(len(epsilons)), key=lambda i: (epsilons[i], across[i]))
    assert all(across[b] - across[a] >= 5 - 1e-9 for a, b in itertools.pairwise(order))
    assert min(across) >= 17 - 1e-9
    assert max(across) <= 92 + 1e-9
    none = [x for x, e in zip(across, epsilons, strict=True) if e == math.inf]
    some = [x for x, e in zip(across, epsilons, strict=True) if e < math.inf]
    assert not none or not some or min(none) - max(some) >= 12 - 1e-9


def test_epsilons_are_drawn_to_a_logarithmic_scale():
    a, b, c = _across([0.1, 1.0, 10.0])
    assert b - a == pytest.approx(c - b)


# All together


def private(epsilon: float, mu: float | None, delta: float = 1e-6, failure: float = 0.0) -> dict:
    card = sample.card()
    card["guarantee"] |= {"epsilon": epsilon, "mu": mu, "delta": delta}
    card["ledger"]["failure_delta"] = failure
    return card


@pytest.mark.parametrize(("mu", "delta"), [(0.05, 1e-3), (0.2367, 1e-6), (1.0, 1e-5), (3.0, 1e-6), (8.0, 1e-9)])
def test_epsilon_of_a_gaussian_release_against_a_solver_on_a_logarithmic_scale(mu, delta):
    def gap(epsilon: float) -> float:
        first, second = norm.logcdf(-epsilon / mu + mu / 2), epsilon + norm.logcdf(-epsilon / mu - mu / 2)
        return first + math.log1p(-math.exp(second - first)) - math.log(delta)

    assert epsilon_of(mu, delta) == pytest.approx(brentq(gap, 1e-6, 300), rel=1e-6)


def test_what_a_fit_claims_is_what_its_mu_says():
    assert epsilon_of(0.23670437971661892, 1e-6) == pytest.approx(1.0, rel=1e-4)


def test_all_together_adds_up_and_squares_add_up():
    all_of_them = together([private(1.0, 0.3), private(2.0, 0.4, delta=2e-6)])
    assert all_of_them == pytest.approx({"epsilon": 3.0, "delta": 3e-6, "fits": 2, "mu": 0.5, "tighter": epsilon_of(0.5, 3e-6)})
    assert all_of_them["tighter"] < 3


def test_all_together_without_a_closed_form_or_without_a_guarantee():
    assert together([private(1.0, 0.3), private(2.0, None)]) == pytest.approx({"epsilon": 3.0, "delta": 2e-6, "fits": 2})
    failing = [private(1.0, 0.3, failure=1e-6), private(2.0, 0.4, failure=1e-6)]
    assert "tighter" not in together(failing)
    assert together([private(1.0, 0.3), None]) is None
    assert together([private(1.0, 0.3), sample.not_private_card()]) is None
    assert epsilon_of(0.0, 1e-6) is epsilon_of(1e4, 1e-6) is epsilon_of(1.0, 0.0) is None


def test_the_same_card_twice_is_one_fit():
    assert together([private(1.0, 0.3), private(1.0, 0.3), private(2.0, 0.4)])["epsilon"] == 3.0
    html = compare([samples.made(1.0), samples.made(1.0) | {"seed": 4}], ["a", "b"])
    assert "belong to one fit" in words(html)


# The page


@pytest.fixture(scope="module")
def html() -> str:
    return compare(samples.several(), samples.NAMES)


def test_it_opens_with_the_warning_and_then_the_answer(html):
    page = Page(html)
    assert page.text[0] == "CONFIDENTIAL. This comparison must not leave the building."
    assert re.search(r"<title>CONFIDENTIAL", html)
    assert [attrs["id"] for attrs in page.all("section")] == SECTIONS
    said = words(html)
    first = said.index("A (eps-0.3), B (eps-1), C (eps-10), D (release-of-march) and E (sdv) passed every claim made for them.")
    assert first < said.index("F (no-privacy) failed at least one claim.") < said.index("E and F have no formal guarantee.")
    assert said.index("A, B and C lie on the frontier. D is beaten by B.") < said.index("This is evidence for a decision")


def test_every_release_is_told_where_it_stands(html):
    said = words(section(html, "which"))
    assert "Epsilon 0.3, delta 1e-6. On the frontier" in said
    assert "Beaten by B (eps-1): its guarantee is at least as strong" in said
    assert "No formal guarantee. Not judged against the others" in said
    assert "without a guarantee it stands apart from the frontier. Claims failed: Membership within tolerance." in said
    assert re.findall(r'class="badge">([A-Z ]+)<', html) == ["PASS"] * 4 + ["NO GUARANTEE", "FAIL"]


def test_differences_within_intervals_are_said_to_be_no_differences(html):
    assert "higher is better). Not clearly different: B and C. All other pairs are." in words(section(html, "frontier"))
    alike = [samples.made(1.0, seed=i, auc=0.88 + 0.001 * i, tvd3=0.14) for i in range(3)]
    said = words(compare(alike, list("xyz")))
    assert said.count("Not clearly different from each other.") > 10
    assert "None is clearly beaten by another." in said
    dear = [samples.made(1.0), samples.made(8.0, auc=0.881)]
    said = words(compare(dear, ["x", "y"]))
    assert "Its guarantee is weaker than that of A (x), for no clear gain." in said
    assert "B has a weaker guarantee than another for no clear gain." in said


def test_the_picture_has_every_release_in_every_panel(html):
    picture = re.search(r'<svg role="img" class="frontier".*?</figure>', html, re.DOTALL)[0]
    for text in ("Usefulness", "Distance of triples of columns", "Leakage: members named at 1\u00a0% false alarms", "none"):
        assert text in picture
    points = re.findall(r'class="letter"[^>]*>([A-F])(?: \u2013)?<', picture)
    assert sorted(points) == sorted("ABCDEF" * 3)
    assert picture.count('class="on-frontier"/>') == 9
    assert picture.count('class="on-frontier apart"/>') == 3
    assert picture.count('class="off-frontier"/>') == 5
    assert picture.count('class="frontier-line"') == 4
    assert picture.count('class="curve-claimed"') == 4


def test_marks_lie_where_their_numbers_say():
    def heights(*aucs: float) -> list[float]:
        page = compare([samples.made(1.0 + i, auc=auc) for i, auc in enumerate(aucs)], [str(i) for i in range(len(aucs))])
        return [float(y) for y in re.findall(r'<svg aria-hidden="true" x="[\d.]+%" y="([\d.]+)">', page)[: len(aucs)]]

    a, b, c = heights(0.80, 0.85, 0.90)
    assert a - b == pytest.approx(b - c, abs=0.11)
    assert a > b > c


def test_ceilings_and_intervals_stand_beside_the_rates(html):
    said = Page(section(html, "numbers")).text
    assert {"31.0 %", "[24.8, 37.2 %]", "at most 1.8 %", "against 0.923", "[0.849, 0.861]"} <= set(said)


def test_rates_at_different_false_alarms_are_not_drawn_on_one_axis():
    two = [samples.made(1.0), samples.made(2.0)]
    next(f for f in two[1]["findings"] if f["check"] == "attacks.membership")["details"]["fpr"] = 0.1
    html = compare(two, ["a", "b"])
    assert "Leakage: AUC of the strongest attack" in html
    assert "members named at" not in html


def test_different_splits_are_said_loudly(html):
    loud = "Made from different splits: differences include the luck of the split."
    assert loud in words(html)
    same = [samples.made(1.0), samples.made(2.0)]
    quiet = words(compare(same, ["a", "b"]))
    assert loud not in quiet
    assert "Not evaluated alike" not in quiet
    for change, says in (
        ({"tables": same[0]["tables"] | {"train": {"rows": 34191}}}, loud),
        ({"split": {"holdout": 0.3, "seed": 1}}, loud),
        ({"seed": 9}, "Not evaluated alike"),
    ):
        assert says in words(compare([same[0], same[1] | change], ["a", "b"]))
    other_rows = copy.deepcopy(same[1])
    next(f for f in other_rows["findings"] if f["check"] == "fidelity.tvd1")["reference"] = 0.0123
    assert "Not evaluated alike" in words(compare([same[0], other_rows], ["a", "b"]))


def test_verdicts_by_different_policies_are_said_not_to_mean_the_same():
    strict, loose = ({"name": name, "thresholds": {"mu": {"value": value}}} for name, value in (("default", 0.5), ("own", 2.0)))
    html = compare([samples.made(1.0) | {"policy": strict}, samples.made(2.0) | {"policy": loose}], ["a", "b"])
    assert "Judged by different policies" in words(html)
    assert {"policy, name", "policy, thresholds, mu, value"} <= set(Page(section(html, "differences")).text)
    assert "Judged by" not in words(compare([samples.made(e) | {"policy": strict} for e in (1.0, 2.0)], ["a", "b"]))


def test_what_differs_in_the_making_is_listed_and_the_rest_is_not(html):
    told = words(section(html, "differences"))
    assert {"model, seed", "model, name", "split, seed"} <= set(Page(section(html, "differences")).text)
    assert "evaluation, platform" not in told
    same = compare([samples.made(1.0), samples.made(2.0)], ["a", "b"])
    assert "Nothing: all settings, seeds and versions on file are the same." in words(same)


def test_many_releases_go_into_several_tables():
    html = compare(samples.many(), [f"r{i}" for i in range(12)])
    captions = re.findall(r"<caption><span>(.*?)</span>", html)
    assert {f"Verdict of every claim, {of}" for of in ("A to D", "E to H", "I to L")} <= set(captions)
    assert max(len(re.findall("<th ", head)) for head in re.findall(r"<thead>(.*?)</thead>", html)) == 5
    assert len(html.encode()) < 3e6


def test_nothing_measured_is_no_picture_and_no_frontier():
    bare = [samples.without(samples.made(e), "utility.", "fidelity.", "attacks.") for e in (1.0, 2.0)]
    html = compare(bare, ["a", "b"])
    said = words(html)
    assert "No picture." in said
    assert "Not judged against the others" in said
    assert 'class="frontier"' not in html
    assert "not tested" in said


def test_hostile_names_stay_text():
    html = compare(samples.hostile(), [sample.HOSTILE, sample.BREAKER])
    page = Page(html)
    assert not page.all("script")
    assert not page.all("img")
    assert html.count("</style>") == 1
    assert "49" not in words(section(html, "which"))
    assert sample.HOSTILE in words(html)


def test_is_the_same_for_data_that_went_through_json(html):
    assert compare(json.loads(json.dumps(samples.several())), samples.NAMES) == html


# What is refused


def changed(change: Callable[[dict], object]) -> dict:
    out = copy.deepcopy(samples.made(2.0))
    change(out)
    return out


REFUSED: dict[str, tuple[dict, str]] = {
    "another range": (
        changed(lambda d: d["schema"]["columns"]["age"].update(maximum=99)),
        "one and two have different schemas, at schema.columns.age.maximum; give releases of one schema.",
    ),
    "another label": (
        changed(lambda d: d["schema"]["columns"]["sex"]["labels"].__setitem__(1, "secret")),
        "different schemas, at schema.columns.sex.labels[1];",
    ),
    "a column less": (changed(lambda d: d["schema"]["columns"].pop("race")), "different schemas, at schema.columns.race;"),
    "another unit": (
        changed(lambda d: d["card"]["guarantee"].update(unit={"key": "sex", "max_rows": 3})),
        "one and two protect different units of privacy; give releases that protect the same unit.",
    ),
    "another target": (changed(lambda d: d.update(target="sex")), "one and two predict different target columns"),
    "a card": (
        sample.card(),
        "two: this is ('tabsynth.card', 1); give the contents of a JSON file whose format is 'tabsynth.report'",
    ),
    "no report": ([], "two: this is 'list';"),
    "the same": (samples.made(1.0), "one and two are the same report; give each release once."),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_cannot_be_compared_is_refused_in_a_sentence(what):
    document, says = REFUSED[what]
    with pytest.raises(OptionError) as error:
        compare([samples.made(1.0), document], ["one", "two"])
    assert says in str(error.value)
    assert "secret" not in str(error.value)


def test_too_few_too_many_and_too_few_names_are_refused():
    with pytest.raises(OptionError, match="1 given to compare; give from 2 to 12 reports"):
        compare([samples.made()], ["a"])
    with pytest.raises(OptionError, match="13 given to compare"):
        compare(samples.many(13), list("abcdefghijklm"))
    with pytest.raises(OptionError, match="2 reports and 1 names"):
        compare(samples.many(2), ["a"])


# In a browser


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("draw", [lambda: samples.several(), lambda: samples.many(12), lambda: samples.hostile()])
def test_nothing_in_the_picture_overlaps_or_sticks_out(browser: Browser, tmp_path: Path, draw: Callable, width: int):
    documents = draw()
    path = tmp_path / "page.html"
    path.write_text(compare(documents, [f"release number {i}" for i in range(len(documents))]), encoding="utf-8")
    browser.open(path, width=width)
    assert browser.complaints() == []
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    boxes = browser.evaluate(
        "[...document.querySelectorAll('svg.frontier .label')].map(e => e.getBoundingClientRect())"
        ".map(b => [b.left, b.right, b.top, b.bottom])"
    )
    for a, b in itertools.combinations(boxes, 2):
        assert a[1] <= b[0] + 1 or b[1] <= a[0] + 1 or a[3] <= b[2] + 3 or b[3] <= a[2] + 3
    assert min(b[0] for b in boxes) >= 0
    assert max(b[1] for b in boxes) <= width


# The command


@pytest.fixture
def run(run):
    """Run `tabsynth report` in this process: exit code, standard output, standard error."""
    return lambda *arguments: run("report", *arguments)


def small(epsilon: float) -> dict:
    """A report that is quickly checked against its JSON Schema."""
    return samples.without(samples.made(epsilon), "attacks.", "fidelity.")


@pytest.fixture
def folders(tmp_path: Path) -> list[Path]:
    """Three releases: two folders of the same name, and a report with a name of its own."""
    out = [tmp_path / "a" / "out", tmp_path / "b" / "out"]
    for folder, epsilon in zip(out, (0.3, 3.0), strict=True):
        (folder / "confidential").mkdir(parents=True)
        write_json(folder / "confidential/report.internal.json", small(epsilon))
    (tmp_path / "third.json").write_text(json.dumps(small(9.0)))
    return [*out, tmp_path / "third.json"]


def test_the_command_draws_what_the_function_returns(run, folders, tmp_path):
    code, out, err = run("--compare", *folders, "--out", tmp_path / "compare.html")
    assert (code, err) == (0, "")
    assert out == f"Comparison (CONFIDENTIAL, must not leave): {tmp_path}/compare.html\n"
    documents = [small(0.3), small(3.0), small(9.0)]
    assert (tmp_path / "compare.html").read_text(encoding="utf-8") == compare(
        documents, ["a/out", "b/out", f"{tmp_path.name}/third"]
    )


def test_names_are_as_short_as_they_can_be_and_the_folder_gets_the_usual_name(run, folders, tmp_path):
    code, out, _ = run("--compare", folders[0], folders[2], "--out", tmp_path / "new", "--json")
    assert (code, json.loads(out)) == (
        0,
        {"out": str(tmp_path / "new/comparison.internal.html"), "format": "tabsynth.comparison"},
    )
    text = (tmp_path / "new" / "comparison.internal.html").read_text(encoding="utf-8")
    assert "A (out) and B (third)" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "give either --from FILE, or --compare with two or more releases."),
        (["--compare", "a/out", "--from", "third.json"], "give either --from FILE, or --compare"),
        (["a/out", "b/out"], "give either --from FILE, or --compare"),
        (
            ["--from", "third.json", "a/out"],
            "releases are given without --compare; give --compare A B ..., or --from FILE alone.",
        ),
        (["--compare"], "0 given to compare; give from 2 to 12"),
        (["--compare", "a/out"], "1 given to compare; give from 2 to 12"),
        (
            ["--compare", "a/out", "a/out/confidential/report.internal.json"],
            "a/out/confidential/report.internal.json and a/out/confidential/report.internal.json are the same report",
        ),
        (["--compare", "a/out", "b"], "there is no file"),
        (
            ["--compare", "a/out", "card.json"],
            "has the format 'tabsynth.card'; give the output folder of a release, or its report",
        ),
        (["--compare", "a/out", "broken.json"], "broken.json cannot be read as JSON"),
        (
            ["--compare", "a/out", "wrong.json"],
            "wrong.json does not conform to tabsynth.report, version 1: $.findings[0].value: breaks",
        ),
        (["--compare", "a/out", "other.json"], "different schemas, at schema.columns.age.maximum"),
    ],
)
def test_what_the_command_refuses(run, folders, tmp_path, monkeypatch, arguments, says):
    monkeypatch.chdir(tmp_path)
    Path("card.json").write_text(json.dumps(sample.card()))
    Path("broken.json").write_text("{")
    wrong = small(5.0)
    wrong["findings"][0]["value"] = "secret"
    Path("wrong.json").write_text(json.dumps(wrong))
    Path("other.json").write_text(json.dumps(small(5.0) | {"schema": REFUSED["another range"][0]["schema"]}))
    code, out, err = run(*arguments, "--out", "new.html")
    assert (code, out) == (2, "")
    assert says in err
    assert len(err.strip().splitlines()) == 1
    assert "secret" not in err
    assert not Path("new.html").exists()


def test_choosing_by_the_page_is_said_not_to_be_covered():
    for documents in (samples.several(), samples.many(3)):
        together = " ".join(section(compare(documents, [str(i) for i in range(len(documents))]), "together").split())
        assert "Choosing among these releases by this page is not covered." in together
        assert "All of them together count" in together
        assert "own guarantee counts" not in together
