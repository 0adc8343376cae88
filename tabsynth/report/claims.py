"""The decision box: one verdict and one sentence per claim. Reads findings, computes nothing."""

from __future__ import annotations

import math
from typing import Any

from tabsynth.report.attacks import highest, lowest, secrets
from tabsynth.report.basis import by_guarantee, sight
from tabsynth.report.guarantee import highest_tpr, is_private, unit_words
from tabsynth.report.page import interval, is_number, number, percent, rate, short
from tabsynth.report.quality import quality
from tabsynth.report.verdicts import FAIL, INCONCLUSIVE, NONE, NOT_TESTED, PASS, Claim, available, verdict_of, why_missing


def claims(
    findings: dict[str, dict], card: dict[str, Any] | None, what: str, policy: dict[str, Any] | None = None
) -> list[Claim]:
    """The claims, in the order a reviewer asks them. Those on attributes, singling out, linkage and quality only where that was tried.

    Parameters
    ----------
    findings : dict
        By check name.
    card : dict, optional
    what : {'rows', 'units'}
        What the attacks count.
    policy : dict, optional
        By which the report judges; what it says about guarantees is looked at here, all else the findings did.
    """
    valid = verdict_of(findings.get("attacks.controls")) == PASS
    return [
        _guarantee(card, findings.get("guarantee.card"), policy or {}, findings.get("attacks.membership")),
        *_audit(findings.get("audit.engine")),
        _replication(findings.get("attacks.replication"), valid, what),
        _membership(findings.get("attacks.membership"), valid, what),
        *_inference(findings, valid, what),
        _controls(findings.get("attacks.controls")),
        *quality(findings, what),
        _schema(findings.get("expectations.schema")),
    ]


def by_check(data: dict[str, Any]) -> dict[str, dict]:
    """A report's findings by their check, without the details that are null: they read as missing."""
    return {
        finding["check"]: finding
        | {"details": {key: value for key, value in (finding.get("details") or {}).items() if value is not None}}
        for finding in data.get("findings") or []
    }


def counted(data: dict[str, Any]) -> str:
    """What a report's attacks count: ``rows`` or ``units``."""
    return "rows" if ((data.get("schema") or {}).get("unit") or {}).get("key") is None else "units"


def _attack(finding: dict[str, Any] | None, valid: bool) -> tuple[str, str]:
    """An attack's verdict, and a warning where the controls do not back it: then a pass does not count."""
    verdict = verdict_of(finding)
    if valid or verdict == NOT_TESTED:
        return verdict, ""
    if verdict == PASS:
        return INCONCLUSIVE, " The check itself says PASS, but without valid controls that does not count."
    return verdict, " The controls are not valid, so read this with care."


def _guarantee(
    card: dict[str, Any] | None, recounted: dict[str, Any] | None, policy: dict[str, Any], headline: dict[str, Any] | None
) -> Claim:
    verdict, text = _stated(card, recounted)
    given = (card or {}).get("guarantee") or {}
    most = ((policy.get("thresholds") or {}).get("epsilon") or {}).get("value")
    if verdict in (PASS, INCONCLUSIVE) and (seen := _contradiction(card, headline)):
        verdict, text = FAIL, seen
    elif verdict in (PASS, INCONCLUSIVE) and is_number(most) and given["epsilon"] > most:
        verdict, text = FAIL, f"{text} The policy tolerates an epsilon of at most {short(most)}."
    elif verdict == NONE and policy.get("guarantee_required"):
        verdict, text = FAIL, f"{text} The policy requires one."
    return Claim("Formal guarantee", verdict, text, "guarantee")


def _stated(card: dict[str, Any] | None, recounted: dict[str, Any] | None) -> tuple[str, str]:
    """What the card says of the guarantee, and whether its charges and its table bear it out."""
    if card is None:
        return NONE, "No release card was given with this table, so there is no formal guarantee on file."
    given, ledger = card.get("guarantee") or {}, card.get("ledger") or {}
    if is_private(card):
        return _borne_out(
            f"ifferential privacy with epsilon {short(given.get('epsilon'))} and delta {short(given.get('delta'))} for "
            f"{unit_words(given.get('unit'))}",
            recounted,
        )
    if given.get("private"):
        return FAIL, (
            f"The card claims privacy but does not add up: epsilon is {short(given.get('epsilon'))} and its ledger spent "
            f"{short(ledger.get('spent_rho'))} of a budget of {short(ledger.get('budget_rho'))}."
        )
    return NONE, "The generator was fitted without differential privacy: there is no formal guarantee."


def _borne_out(claimed: str, recounted: dict[str, Any] | None) -> tuple[str, str]:
    """Verdict and sentence on a guarantee, of which the card's claim is given without its first letter."""
    details = (recounted or {}).get("details") or {}
    wrong = [check for check in details.get("checks") or [] if check.get("holds") is not True]
    if verdict_of(recounted) == PASS:
        return PASS, (
            f"D{claimed}: the charges on the release card add up to it, and the card lists this table; the attacks below can contradict "
            "it but never prove it."
        )
    if verdict_of(recounted) == FAIL and wrong:
        return (
            FAIL,
            f"The card claims d{claimed}, which does not follow from its own charges: {wrong[0].get('seen')}. Do not rely on it.",
        )
    if recounted is None:
        return INCONCLUSIVE, (
            f"The card claims d{claimed}. It is not shown to belong to this table, nor that its charges add up: the evaluation did not "
            "look. Evaluate again with this version of tabsynth."
        )
    lists = "another table" if details.get("lists_a_table") else "no table"
    return INCONCLUSIVE, (
        f"The card claims d{claimed}, but is not shown to belong to this table: it lists {lists}. Give the card.json of the release "
        "that the table came from, and the table as it was released."
    )


def _contradiction(card: dict[str, Any] | None, headline: dict[str, Any] | None) -> str:
    """What to say where some attack surely found more members than the claimed guarantee allows; else nothing."""
    details = (headline or {}).get("details") or {}
    for low in details.get("surely") or []:
        lower, fpr = low.get("lower"), low.get("fpr")
        most = highest_tpr(card, fpr) if is_number(fpr) and 0 < fpr < 1 else None
        if most is not None and is_number(lower) and lower > most:
            return (
                f"The card's guarantee does not hold: it allows nobody to name more than {percent(most, 2)} of the members while "
                f"wrongly naming {rate(fpr)} of the others, and an attack names more than {percent(lower, 2)}, a bound that is "
                "wrong less than once in 1\u202f000 reports, over all attacks. Do not release this; look for the fault in the generator "
                "or the split."
            )
    return ""


def _more(finding: dict[str, Any], what: str) -> str:
    """How much data would settle a question that the finding leaves open."""
    details = finding.get("details") or {}
    if finding.get("verdict") != "inconclusive" or not available(finding):
        return ""
    unseen, descriptions, most = (details.get(name) for name in ("needed_nonmembers", "needed_descriptions", "most"))
    if is_number(unseen):
        needed, of = unseen, f"{what} that the generator never saw"
    elif is_number(descriptions):
        needed, of = descriptions, "descriptions of each kind, which takes more synthetic rows"
    elif details.get("blind") and "mu_tolerance" in details:
        return ""
    elif details.get("blind"):
        unseen = " or ".join(leak for leak, seen in (details.get("power") or {}).items() if not seen)
        shown = f"this check would not notice {unseen} in the synthetic table's place" if unseen else "nothing could be shown"
        return f" With so few records {shown}; a larger holdout helps."
    elif details.get("settleable") is False:
        return " The tolerance is too close to chance for a sample of usual size to settle it."
    elif "mu_tolerance" in details:
        return " The rates are too close to the tolerance for these records to settle it; a larger holdout may."
    else:
        return " If the rates stay as they are, no larger sample settles it." if "tolerated" in details else ""
    beyond = f", more than the {number(most)} that this test draws at most" if is_number(most) and most < needed else ""
    return f" A decision needs about {number(needed)} {of}{beyond}."


def unaudited(finding: dict[str, Any] | None) -> list[str]:
    """What a release is not shown to have in common with the engine that was audited."""
    details = (finding or {}).get("details") or {}
    return [what for what in ("version", "settings") if details.get(f"same_{what}") is not True]


def _audit(finding: dict[str, Any] | None) -> list[Claim]:
    """The engine's audit, where there is one."""
    if not available(finding):
        return []
    d, verdict = finding["details"], verdict_of(finding)
    said = f"{number(len(d['alarms']))} findings contradict the claim." if d["alarms"] else "Nothing contradicted the claim."
    text = (
        f"Of a claimed epsilon of {short(d['epsilon'])}, an attack on the engine {d['engine']} and made-up tables proved "
        f"{number(finding['value'], 2)}, where a perfect implementation shows {number(finding['reference'], 2)}. {said}"
    )
    if other := unaudited(finding):
        verdict = INCONCLUSIVE if verdict == PASS else verdict
        text += f" It was audited in another version or with other settings: this release is not shown to have the same {' and '.join(other)}."
    return [Claim("The engine withstands its audit", verdict, text, "audit")]


def _replication(finding: dict[str, Any] | None, valid: bool, what: str) -> Claim:
    title, section = "Does not copy rows", "copies"
    verdict, warning = _attack(finding, valid)
    if not available(finding):
        return Claim(title, verdict, why_missing(finding), section)
    levels = (finding.get("details") or {}).get("levels") or []
    exact = next((level for level in levels if level.get("tau") == 0), {})
    do = "occur exactly in the synthetic table"
    if exact.get("rows") == "apart":
        do = f"{'are' if what == 'rows' else 'have rows that are'} unlike anybody else's and {do}"
    text = (
        f"{number(exact.get('members'))} of {number(exact.get('n_members'))} training {what} {do}, "
        f"against {number(exact.get('holdout'))} of {number(exact.get('n_holdout'))} holdout {what} that the generator never saw: "
        f"an excess of {percent(finding['value'], 2)} {interval(finding.get('interval'), 2, shares=True)}."
    )
    if above := [str(level.get("label")) for level in levels if (level.get("interval") or [0])[0] > 0]:
        text += f" More often than chance explains: {', '.join(above)}."
    basis = by_guarantee(finding, "copied because they were training data")
    return Claim(title, verdict, basis + text + _more(finding, what) + warning, section)


def _membership(finding: dict[str, Any] | None, valid: bool, what: str) -> Claim:
    title, section = "Membership within tolerance", "membership"
    verdict, warning = _attack(finding, valid)
    if not available(finding):
        return Claim(title, verdict, why_missing(finding), section)
    d = finding.get("details") or {}
    basis = by_guarantee(finding, f"identified while {rate(d.get('fpr'))} of others are wrongly named")
    text = (
        f"{'the' if basis else 'The'} strongest of {number(d.get('attacks'))} attacks, chosen on one half of the {what}, identified "
        f"{number(d.get('tp'))} of {number(d.get('n_members'))} training {what} on the other half while wrongly naming "
        f"{number(d.get('fp'))} of {number(d.get('n_nonmembers'))} others. This does not show that no attack exists."
    )
    if above := d.get("above"):
        most = max(above, key=lambda seen: seen["tpr"] / seen["least"])
        text += (
            f" Beyond the tolerance: {most['attack']} identifies {percent(most['tpr'])} of the members while wrongly naming "
            f"{percent(most['fpr_seen'])} of the others; an attack within the tolerance would hardly ever identify {percent(most['least'])}."
        )
    return Claim(title, verdict, basis + text + sight(finding) + _more(finding, what) + warning, section)


def _inference(findings: dict[str, dict], valid: bool, what: str) -> list[Claim]:
    """The claims on inference beyond membership, of the findings there are."""
    out = []
    if guessed := secrets(findings):
        out.append(_attributes(guessed, valid, what))
    if (finding := findings.get("attacks.singling_out")) is not None:
        text = (
            "Of the {kind} descriptions read off the synthetic table, {members} fit exactly one training record and {others} "
            "exactly one record that the generator never saw"
        )
        out.append(_residual("Singling out within tolerance", "singling_out", text, finding, valid, what))
    if (finding := findings.get("attacks.linkability")) is not None:
        text = (
            "The two halves of {members} of the training records were linked through their nearest synthetic rows "
            "(k = {neighbours}), and of {others} of records that the generator never saw"
        )
        out.append(_residual("Linkage within tolerance", "linkability", text, finding, valid, what))
    return out


def _attributes(guessed: list[dict[str, Any]], valid: bool, what: str) -> Claim:
    """Worst verdict over the columns, and of the columns with that verdict the one that its interval puts most at risk."""
    title, section = "Attribute inference within tolerance", "attribute"
    verdict, warning = min((_attack(secret["finding"], valid) for secret in guessed), key=_severity)
    known = [secret for secret in guessed if secret["result"] and available(secret["finding"])]
    if not known:
        return Claim(title, verdict, why_missing(guessed[0]["finding"]), section)
    deciding = [secret for secret in known if verdict_of(secret["finding"]) == verdict] or known
    end = lowest if verdict == FAIL else highest
    most = max(deciding, key=lambda secret: max(map(end, secret["attackers"].values())))
    name, r = max(most["attackers"].items(), key=lambda attacker: end(attacker[1]))
    text = (
        f"{len(known)} of {len(guessed)} columns were guessed from the others by attackers who learned from the synthetic table. "
        f"Least protected: {most['column']} ({name}), guessed right for {percent(r.get('accuracy_members'))} of training "
        f"{what} and for {percent(r.get('accuracy_nonmembers'))} of others, a difference of {percent(r.get('difference'))} "
        f"{interval(r.get('simultaneous'), 1, shares=True)}, an interval that holds for all columns together."
    )
    if verdict == FAIL:
        text += f" More often than chance explains: {', '.join(secret['column'] for secret in deciding)}."
    elif verdict == INCONCLUSIVE:
        hardest = max(deciding, key=lambda secret: secret["finding"]["details"].get("needed_nonmembers") or math.inf)
        undecided = [secret["column"] for secret in guessed if _attack(secret["finding"], valid)[0] == verdict]
        text += f" Not decided: {', '.join(undecided)}.{_more(hardest['finding'], what)}"
    return Claim(title, verdict, text + _grounds(known) + warning, section)


def _grounds(guessed: list[dict[str, Any]]) -> str:
    """What passes of single columns rest on, beside their measurement."""
    told = [(secret["column"], secret["finding"]["details"]) for secret in guessed if secret["finding"].get("verdict") == "pass"]
    certain = [column for column, d in told if (d.get("by_guarantee") or {}).get("settled")]
    harmless = [column for column, d in told if d.get("harmless") and column not in certain]
    text = ""
    if certain:
        text += f" By the guarantee, and the engine withstood its audit (the measurement is its check): {', '.join(certain)}."
    if harmless:
        text += f" Not even the training rows themselves would tell more than is tolerated: {', '.join(harmless)}."
    return text


def _residual(title: str, section: str, text: str, finding: dict[str, Any], valid: bool, what: str) -> Claim:
    """A claim on the risk beyond that of unseen records, told by the result with the highest lower end of its interval."""
    verdict, warning = _attack(finding, valid)
    details = finding.get("details") or {}
    result = max(details.get("results") or [], key=lowest, default=None)
    if not available(finding) or result is None:
        return Claim(title, verdict, why_missing(finding), section)
    known = {"kind": result.get("kind"), "neighbours": result.get("neighbours")}
    text = text.format(members=percent(result.get("rate_members"), 2), others=percent(result.get("rate_nonmembers"), 2), **known)
    risk, bounds = percent(result.get("residual_risk"), 2), interval(result.get("simultaneous"), 2, shares=True)
    text += f": a risk of {risk} {bounds} beyond theirs"
    done = "linked because they were training data" if section == "linkability" else "singled out because they were training data"
    return Claim(
        title,
        verdict,
        f"{by_guarantee(finding, done)}{text}, where {percent(details.get('tolerated'), 0)} is tolerated.{_more(finding, what)}{warning}",
        section,
    )


def _severity(judged: tuple[str, str]) -> int:
    return (FAIL, INCONCLUSIVE, NOT_TESTED, PASS).index(judged[0])


def _controls(finding: dict[str, Any] | None) -> Claim:
    title, section = "Controls are valid", "controls"
    if not available(finding):
        return Claim(title, verdict_of(finding), why_missing(finding), section)
    gates = (finding.get("details") or {}).get("gates") or []
    judged = [gate for gate in gates if gate.get("ok") is not None]
    names = ", ".join(str(gate.get("name")) for gate in judged if not gate["ok"])
    text = f"{number(finding['value'], 0)} of {len(judged)} control gates lie outside their band{': ' + names if names else ''}."
    return Claim(title, verdict_of(finding), text, section)


def _schema(finding: dict[str, Any] | None) -> Claim:
    title, section = "Conforms to the schema", "expectations"
    if not available(finding):
        return Claim(title, verdict_of(finding), why_missing(finding), section)
    expectations = (finding.get("details") or {}).get("expectations") or []
    met = sum(bool(e.get("met")) for e in expectations)
    text = f"The synthetic table meets {number(met)} of {number(len(expectations))} expectations drawn from the public schema."
    return Claim(title, verdict_of(finding), text, section)
