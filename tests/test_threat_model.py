"""Every promise of the threat model names code and tests that exist; nothing that it refers to is gone."""

import ast
import re

import pytest
from conftest import REPO

PAGE = REPO / "docs/threat-model.md"


def promises() -> list[tuple[str, list[str], list[str]]]:
    """What is promised, the files that keep it, and its tests."""
    text = re.search(r"\n## What is promised\n(.*?)\n## ", PAGE.read_text(encoding="utf-8"), re.DOTALL)[1]
    rows = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in text.splitlines() if line.startswith("|")]
    rows = [row for row in rows if row[0] != "promise" and not row[0].startswith("---")]
    return [(row[0], *(re.findall(r"`([^`]+)`", cell) for cell in row[1:])) for row in rows]


def defined_in(path: str) -> set[str]:
    """The test functions of a file, with those of its classes."""
    tree = ast.parse((REPO / path).read_text(encoding="utf-8"))
    return {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def test_there_are_promises_and_each_stands_once():
    told = [promise for promise, *_ in promises()]
    assert len(told) > 20
    assert len(set(told)) == len(told)
    assert all(promise.endswith(".") for promise in told)


@pytest.mark.parametrize(("promise", "places", "named"), [pytest.param(*row, id=row[0][:40]) for row in promises()])
def test_each_promise_has_code_and_tests_that_exist(promise, places, named):
    assert places, "no code"
    assert named, "no test"
    for place in places:
        assert (REPO / place).is_file(), place
    for test in named:
        path, _, name = test.partition("::")
        assert (REPO / path).is_file(), path
        assert name in defined_in(path), test


def test_what_is_not_promised_is_said():
    text = PAGE.read_text(encoding="utf-8").split("## What is not promised")[1]
    for subject in ("Several releases", "Choosing by the report", "The evaluation", "Time and memory", "Traces on the machine", "Supply chain",
                    "Signatures", "Denial of service", "What everybody knows"):  # fmt: skip
        assert f"**{subject}" in text, subject


@pytest.mark.parametrize("page", ["docs/threat-model.md", "SECURITY.md", "README.md", "CONTRIBUTING.md"])
def test_files_that_pages_refer_to_are_there(page):
    text = (REPO / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text):
        assert ((REPO / page).parent / link).exists(), link
    assert "docs/threat-model.md" in text or page.startswith("docs/")


def test_security_names_no_address_and_the_way_to_report():
    text = (REPO / "SECURITY.md").read_text(encoding="utf-8")
    assert not re.search(r"\S+@\S+\.\w+|https?://", text)
    for section in ("## What counts", "## How to report", "## Supported versions"):
        assert section in text
