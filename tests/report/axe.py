"""axe-core on the page that a browser shows. The text is run over the debugging pipe: the page's own policy keeps its scripts out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from .browser import Browser

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]

_BARE = """document.querySelectorAll('details').forEach(e => e.open = true);
document.querySelectorAll('.scroll').forEach(e => e.style.background = 'none');"""
"""The shadows at the edges of what scrolls are a gradient, on which axe-core tells no contrast."""
_UNCUT = "document.querySelectorAll('.scroll').forEach(e => e.style.overflow = 'visible');"

SVG_CONTRAST = """(() => {
  const parse = (text) => text.match(/[\\d.]+/g).map(Number);
  const over = (top, below, alpha) => below.map((b, i) => alpha * top[i] + (1 - alpha) * b);
  const luminance = (rgb) => rgb.map(c => c / 255).map(c => c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4)
    .reduce((sum, c, i) => sum + c * [.2126, .7152, .0722][i], 0);
  const paper = parse(getComputedStyle(document.documentElement).backgroundColor).slice(0, 3);
  return [...document.querySelectorAll('svg text')].map(text => {
    const box = text.getBoundingClientRect(), x = box.left + box.width / 2, y = box.top + box.height / 2;
    const under = [...text.parentElement.children].filter(e => e.matches('rect') && (r => r.left < x && x < r.right && r.top < y
      && y < r.bottom)(e.getBoundingClientRect()));
    const ground = under.reduce((below, e) => (s => over(parse(s.fill), below, Number(s.fillOpacity)))(getComputedStyle(e)), paper);
    const [a, b] = [luminance(parse(getComputedStyle(text).fill)), luminance(ground)].sort((m, n) => n - m);
    return [text.textContent, (a + .05) / (b + .05)];
  });
})()"""
"""Text and contrast of every text in a picture, on the rectangles under it: axe-core does not judge those."""


@cache
def _source() -> str:
    return files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")


def complaints(browser: Browser, without: Sequence[str] = (), *, uncut: bool = False) -> list[dict[str, Any]]:
    """What breaks a rule, everything unfolded: rule, place, why.

    Elements that match a selector of `without` are taken out of the page before, and so is what lies inside pictures. With `uncut`,
    what would be scrolled inside the page is shown whole, so that axe-core can tell the contrast of every text; one of which it
    cannot is a complaint.
    """
    options = {"runOnly": TAGS, "rules": {"target-size": {"enabled": True}}, "resultTypes": ["violations", "incomplete"]}
    doubts = "incomplete.filter(v => v.id == 'color-contrast')" if uncut else "[]"
    found = f"""({{violations, incomplete}}) => [...violations, ...{doubts}].flatMap(v => v.nodes.map(n =>
      ({{rule: v.id, at: n.target.join(' '), why: n.any.concat(n.all, n.none).map(c => c.message).join('; ')}})))"""
    browser.evaluate(_BARE)
    browser.evaluate(f"document.querySelectorAll({json.dumps(', '.join(['svg *', *without]))}).forEach(e => e.remove())")
    if uncut:
        browser.evaluate(_UNCUT)
    return browser.evaluate(f"{_source()}; axe.run({json.dumps(options)}).then({found})")
