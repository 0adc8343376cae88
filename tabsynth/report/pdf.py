"""A page as a PDF, printed by a Chromium of this machine: tagged, with bookmarks and page numbers (which style.css prints)."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path

from tabsynth.errors import OptionError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome", "msedge")
"""Programs that can print, in the order in which they are looked for."""
_OPTIONS = (
    "--headless",
    "--disable-gpu",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-extensions",
    "--disable-sync",
    "--disable-breakpad",
    "--disable-dev-shm-usage",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--no-pdf-header-footer",
    "--generate-pdf-document-outline",
    "--export-tagged-pdf",
)
"""No name of a host is resolved, no crash report is kept, and a small /dev/shm, as containers have, is enough."""
_INSTEAD = "or give an .html file and print that page from any browser."


def printed(html: str, *, seconds: float = 120.0) -> bytes:
    """A page of this package as a PDF: tagged, with its title and language, a bookmark for each heading, and numbered pages.

    Page, browser profile and PDF lie in a new folder that only this user can read and that is removed afterwards. The page itself
    forbids every request; the browser, besides, can look up no host.

    Parameters
    ----------
    html : str
        What `report` or `card` returned.
    seconds : float
        Longest that printing may take.

    Raises
    ------
    OptionError
        If there is no Chromium on the PATH, or it fails or takes longer than `seconds`.

    Notes
    -----
    The browser writes the time of printing into the PDF, so no two are equal byte for byte.
    """
    program = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    if program is None:
        raise OptionError(f"a PDF needs a Chromium, and none of {', '.join(BROWSERS)} is on the PATH; install one, {_INSTEAD}")
    with tempfile.TemporaryDirectory(prefix="tabsynth-pdf-") as folder:
        page, pdf = Path(folder, "page.html"), Path(folder, "page.pdf")
        page.write_bytes(html.encode(errors="replace"))
        # Chromium's sandbox refuses to start as root.
        root = ("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()
        files = (f"--user-data-dir={folder}/profile", f"--print-to-pdf={pdf}", page.as_uri())
        _run([program, *_OPTIONS, *root, *files], folder, seconds)
        out = pdf.read_bytes() if pdf.is_file() else b""
    if not out.startswith(b"%PDF-"):
        raise OptionError(f"{program} made no PDF of the page; check that it runs on this machine, {_INSTEAD}")
    return out


def _run(command: list[str], folder: str, seconds: float) -> None:
    """Run a command, with its settings and caches in a folder, and end all that it started."""
    inside = {name: folder for name in ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR")}
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(command, env=os.environ | inside, start_new_session=True, **quiet) as browser:
        try:
            browser.wait(seconds)
        except subprocess.TimeoutExpired:
            raise OptionError(f"{command[0]} took longer than {seconds:g} s to print the page; try again, {_INSTEAD}") from None
        finally:
            _end(browser)


def _end(browser: subprocess.Popen) -> None:
    """End the processes that a browser started too, so that none is left to write into a folder that is being removed."""
    try:
        os.killpg(browser.pid, signal.SIGKILL)
    except (AttributeError, ProcessLookupError, PermissionError):
        browser.kill()
