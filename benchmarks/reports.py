"""Pages of reports, ours and those of others, opened in a headless Chromium: size, loading, requests, accessibility, phone, print.

    python benchmarks/reports.py tabsynth=out/confidential/report.internal.html peer=/tmp/peer/report.html

Each argument is a name and an HTML file that its tool wrote, on one table where that can be. The results go to ``results/reports.json``.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from _machine import keep
from pypdf import PdfReader

sys.path.insert(0, str(Path(__file__).parents[1]))
from tests.report import axe, browser

_TEXT = "document.body.innerText.length"


def main(pages: list[str]) -> None:
    """Measure every page and keep the results."""
    with tempfile.TemporaryDirectory() as profile:
        chromium = browser.Browser(browser.find(), Path(profile))
        try:
            found = {name: measured(chromium, Path(path)) for name, _, path in (page.partition("=") for page in pages)}
            program = chromium.call("Browser.getVersion")["product"]
        finally:
            chromium.close()
    print(keep("reports", {"browser": program, "pages": found}))


def measured(chromium: browser.Browser, path: Path) -> dict[str, Any]:
    """What one page is like. `seconds`: best of three, from the request to the load event."""
    own, seconds = path.resolve().as_uri(), []
    for _ in range(3):
        started = time.perf_counter()
        chromium.open(path)
        seconds.append(time.perf_counter() - started)
    asked = [url for url in chromium.requests() if url != own and not url.startswith("data:")]
    out = {
        "bytes": path.stat().st_size,
        "seconds": round(min(seconds), 2),
        "elements": chromium.evaluate("document.getElementsByTagName('*').length"),
        "requests_for_files_beside_it": sum(url.startswith("file:") for url in asked),
        "requests_over_the_network": sum(url.startswith("http") for url in asked),
        "console_messages": len(chromium.complaints()),
        "pdf_pages": len(PdfReader(io.BytesIO(chromium.pdf())).pages),
    }
    text = chromium.evaluate(_TEXT)
    chromium.call("Emulation.setScriptExecutionDisabled", value=True)
    chromium.open(path)
    chromium.call("Emulation.setScriptExecutionDisabled", value=False)
    out["share_of_text_without_scripts"] = round(chromium.evaluate(_TEXT) / max(text, 1), 2)
    chromium.open(path, width=390)
    out["width_at_390"] = chromium.evaluate("document.documentElement.scrollWidth")
    chromium.open(path)
    violations = axe.complaints(chromium)
    return out | {"axe_violations": len(violations), "axe_rules": sorted({each["rule"] for each in violations})}


if __name__ == "__main__":
    main(sys.argv[1:])
