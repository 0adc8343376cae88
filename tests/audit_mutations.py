"""One-line breakages of the product, numbered as the bugs that private generators have been shipped with. The audit has to find each.

Not here, because nothing in this product could break so: M07 to M09 as such (nothing is selected by an exponential mechanism; what scores
and their noise could do wrong is), M24 (layers that mix rows are refused: ``tests/curator/test_gradients.py``), M25 (there are no
teachers; a wrong accountant is). Each `patch` changes the product itself.
"""

import functools
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import gradient_bugs
import numpy as np
import pytest

from tabsynth import Schema, delimited, grammar
from tabsynth.codec import Codec, Labels
from tabsynth.conform import read
from tabsynth.curator import discover
from tabsynth.curator import table as table_module
from tabsynth.curator.gradients import GradientStream
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.noise import discrete_gaussian
from tabsynth.curator.source import Source
from tabsynth.curator.table import PrivateTable
from tabsynth.errors import DataError
from tabsynth.fit import fit_with
from tabsynth.tables import Workspace
from tabsynth.validate.audit import neighbours
from tabsynth.validate.audit import transcripts as heard
from tabsynth.validate.audit.differences import differences
from tabsynth.validate.audit.engines import engine
from tabsynth.validate.audit.ledger import recomputed
from tabsynth.validate.audit.neighbours import Pair
from tabsynth.validate.audit.run import judge
from tabsynth.validate.audit.transcripts import transcripts

Patch = Callable[[pytest.MonkeyPatch], None]


WORST = neighbours.rare_category()


@dataclass(frozen=True)
class Mutation:
    """A breakage, and the smallest audit that has to find it."""

    what: str
    patch: Patch
    engine: str = "probe"
    pair: Pair = WORST
    runs: int = 30
    epsilon: float = 8.0
    fits: int = 0


def alarms(mutation: Mutation) -> list[str]:
    """What the audit says of the product as it is now."""
    algorithm, budget = engine(mutation.engine), Budget(mutation.epsilon, 1e-5, 0.1)
    result = {"stages": [], "noise": {}, "alarms": []}
    if mutation.runs:
        judge(mutation.pair, [transcripts(algorithm, mutation.pair, budget, w, mutation.runs) for w in (0, 1)], budget, result)
    if mutation.fits:
        found = differences(algorithm, mutation.pair, budget, fits=mutation.fits)
        result["alarms"] += [f"differences: {each}" for each in found]
    else:
        card = fit_with(algorithm, mutation.pair.having, mutation.pair.schema, budget).card
        result["alarms"] += [f"ledger: {each}" for each in recomputed(card)]
    return result["alarms"]


def hunt(mutation: Mutation) -> dict[str, object]:
    """Break the product, audit it, and mend it: the layers that saw it, and how long that took."""
    started = time.perf_counter()
    with pytest.MonkeyPatch.context() as patch:
        mutation.patch(patch)
        layers = sorted({alarm.split(":")[0] for alarm in alarms(mutation)})
    return {"what": mutation.what, "layers": layers, "seconds": round(time.perf_counter() - started, 1)}


def setting(owner: object, name: str, value: object) -> Patch:
    return lambda patch: patch.setattr(owner, name, value)


def wrapped(owner: object, name: str, around: Callable) -> Patch:
    """Replace a function by one that is given it."""
    inner = getattr(owner, name)
    return setting(owner, name, lambda *args, **how: around(inner, *args, **how))


def labels_from_the_rows(self, column, *, cost, failure):
    self._charge(1, cost, f"categories of {column}", failure=failure)
    return dict(sorted(self._source.labels(column).items()))


def range_from_the_rows(patch):
    """The lowest and highest cell of the histogram of magnitudes that holds anything."""
    cells = PrivateTable.cells

    def exact(self, edges, *, cost, note):
        noisy = cells(self, edges, cost=cost, note=note)
        if note != "range":
            return noisy
        return {name: replace(m, counts=self._source.cells(edges)[name] * 10**6) for name, m in noisy.items()}

    patch.setattr(PrivateTable, "cells", exact)


def exact_number_of_rows(inner, algorithm, table, *rest):
    codec, model, told = inner(algorithm, table, *rest)
    object.__setattr__(model, "total", float(table._source.rows()[0].shape[1]))
    return codec, model, told


def labels_that_occur(inner, table):
    """Compression of the domain on exact counts."""
    codec = inner(table)
    kept = {}
    for name, coder in codec.coders.items():
        held = table._source.labels(name) if isinstance(coder, Labels) else {}
        kept[name] = Labels(tuple(v for v in coder.values if v in held), coder.null) if held else coder
    return Codec(codec.schema, kept)


def rows_on_the_card(inner, algorithm, table, *rest):
    """As where a report states the number of training rows."""
    codec, model, told = inner(algorithm, table, *rest)
    table.ledger.charges[-1].__dict__["note"] += f" of {table._source.rows()[0].shape[1]} rows"
    return codec, model, told


def learn_of(around):
    """Patch what lies between the rows and the fitted model, wherever it is called."""

    def patch(patch):
        inner = sys.modules["tabsynth.fit"].learn
        for module in (sys.modules["tabsynth.fit"], heard):
            patch.setattr(module, "learn", lambda *args: around(inner, *args))

    return patch


def no_copies(inner, algorithm, table, *rest):
    """A filter that takes synthetic rows out which are also real ones."""
    codec, model, told = inner(algorithm, table, *rest)
    real = {tuple(row) for row in table._source.rows()[0].T}

    class Filtered:
        total = model.total

        def sample(self, rows, rng):
            made = model.sample(rows, rng)
            return made[[tuple(row) not in real for row in made]]

        def state(self):
            return model.state()

    return codec, Filtered(), told


def noise_of(change):
    """Other noise than was paid for."""
    return setting(table_module, "discrete_gaussian", change)


def laplace(shape, sigma):
    """A Gaussian's standard deviation taken for the scale of a Laplace distribution with that deviation."""
    return np.rint(np.random.default_rng().laplace(0, sigma / np.sqrt(2), shape)).astype(np.int64)


def seeded(shape, sigma):
    return discrete_gaussian(shape, sigma, random=np.random.default_rng(0).bytes)


def answers_without_noise(kind):
    def patch(patch):
        inner = PrivateTable._answers

        def answers(self, asked, ask, sigmas, **how):
            if asked != kind:
                return inner(self, asked, ask, sigmas, **how)
            with pytest.MonkeyPatch.context() as quiet:
                quiet.setattr(table_module, "discrete_gaussian", lambda shape, sigma: np.zeros(shape, dtype=np.int64))
                return inner(self, asked, ask, sigmas, **how)

        patch.setattr(PrivateTable, "_answers", answers)

    return patch


def float_noise(shape, sigma):
    return np.random.default_rng().normal(0, sigma, shape)


def rounded_before_noise(inner, self, *asked):
    """Real counts rounded up to full fifties."""
    return [-(-table // 50) * 50 for table in inner(self, *asked)]


def large_scores(inner, self, *asked):
    """A score whose sensitivity was taken for a tenth of what it is."""
    return [10 * table for table in inner(self, *asked)]


def one_charge_for_all(inner, self, answers, cost, note, **how):
    sigma = self.sigma(cost)
    inner(self, 1, cost, note, **how)
    return sigma


def without_a_bound(patch):
    """Units keep all their rows, whatever is claimed of their number."""
    bounded = Source._bounded

    def all_rows(self, rows):
        kept, self.schema = self.schema, replace(self.schema, unit=replace(self.schema.unit, max_rows=10**6))
        try:
            return bounded(self, rows)
        finally:
            self.schema = kept

    patch.setattr(Source, "_bounded", all_rows)


def never_empty(patch):
    """What was spent is forgotten."""
    patch.setattr(Ledger, "spent", lambda self: 0.0)


def more_steps(inner, *args, steps, **how):
    inner(*args, steps=2 * steps, **how)


def twice_the_budget(patch):
    rho = Budget.rho.fget
    patch.setattr(Budget, "rho", property(lambda self: 2 * rho(self)))


MUTATIONS = {
    "M01": Mutation(
        "labels are read off the rows",
        setting(PrivateTable, "labels", labels_from_the_rows),
        "independent",
        neighbours.new_values(),
        0,
        fits=20,
    ),
    "M02": Mutation("the range is read off the rows", range_from_the_rows, "independent", neighbours.new_values(), 0, fits=20),
    "M03": Mutation(
        "the exact number of rows is the default size", learn_of(exact_number_of_rows), "independent", runs=0, fits=20
    ),
    "M04": Mutation(
        "noise scale divided by the square root of 2", wrapped(PrivateTable, "_sigma", lambda inner, *a: inner(*a) / np.sqrt(2))
    ),
    "M05": Mutation("many answers are charged as one", wrapped(PrivateTable, "_charge", one_charge_for_all)),
    "M06": Mutation("half the noise is drawn", noise_of(lambda shape, sigma: discrete_gaussian(shape, sigma / 2))),
    "M07": Mutation("real tables are scored at ten times the sensitivity", wrapped(Source, "counts", large_scores)),
    "M08": Mutation("scores without noise", answers_without_noise("score")),
    "M10": Mutation("the ledger forgets what was spent", never_empty),
    "M11": Mutation("Laplace noise of the same deviation", noise_of(laplace), runs=100),
    "M12": Mutation(
        "labels that do not occur are left out of the codes",
        wrapped(discover, "discover", labels_that_occur),
        "independent",
        runs=0,
        fits=20,
    ),
    "M13": Mutation("counts are rounded before noise is added", wrapped(Source, "counts", rounded_before_noise)),
    "M14": Mutation("noise follows a fixed seed", noise_of(seeded)),
    "M15": Mutation("noise is a floating point number", noise_of(float_noise)),
    "M16": Mutation("gradients are not shortened", gradient_bugs.without_clipping, "probe with gradients", runs=60),
    "M17": Mutation("half the noise on gradients", gradient_bugs.half_the_noise, "probe with gradients"),
    "M18": Mutation("rows of a unit are shortened one by one", gradient_bugs.clipped_by_row, "probe with gradients", runs=60),
    "M20": Mutation("a unit is in a batch twice", gradient_bugs.in_the_batch_twice, "probe with gradients"),
    "M19": Mutation("batches in a fixed order", gradient_bugs.batches_in_a_fixed_order, "probe with gradients"),
    "M21": Mutation(
        "a unit is drawn more often",
        gradient_bugs.a_rare_code_is_drawn_more_often,
        "probe with gradients",
        neighbours.worst_case(),
    ),
    "M22": Mutation(
        "empty batches are left out", gradient_bugs.empty_batches_are_left_out, "probe with gradients", neighbours.worst_case()
    ),
    "M23": Mutation("more steps than were paid for", wrapped(GradientStream, "__init__", more_steps), "probe with gradients"),
    "M25": Mutation("a budget of twice the rho", twice_the_budget, runs=0),
    "M26": Mutation("units keep all their rows", without_a_bound, pair=neighbours.heavy_unit()),
    "M27": Mutation(
        "copies of real rows are filtered out", learn_of(no_copies), "independent", neighbours.combination(), 100, 1.0
    ),
    "M28": Mutation("the card states the number of rows", learn_of(rows_on_the_card), "independent", runs=0, fits=20),
}


MALFORMED = {
    "one opening quote": b'1,"x',
    "a quote of Spark's": b'1,"a \\"b\\" c"',
    "a quote inside": b'1,x"',
    "text behind a quote": b'1,"x"y',
    "a bare carriage return": b"1,x\r2,y",
    "not UTF-8": b"1,\xff",
    "too few fields": b"1",
    "too many fields": b"1,x,y",
}
"""Texts of one record that have a file refused."""


def file_alarms(folder: Path) -> list[str]:
    """What files show of how they are read: a text that is let in, and one that changes how other people's records read."""
    columns = {"a": {"kind": "categorical", "discover": True}, "b": {"kind": "categorical", "discover": True}}
    schema, path, found = Schema.from_dict({"name": "f", "columns": columns}), folder / "f.csv", []
    before, others = b'a,b\n3,u\n4,"v"\n', [("3", "u"), ("4", "v")]
    for behind, rest in (
        (b'5,"w, w"\n6,"a ""z"""\n', [("5", "w, w"), ("6", 'a "z"')]),
        (b"5,w\n6,\n", [("5", "w"), ("6", None)]),
    ):
        for what, record in MALFORMED.items():
            path.write_bytes(before + record + b"\n" + behind)
            try:
                rows = list(read(path, schema).itertuples(index=False, name=None))
            except DataError:
                continue
            changed = rows[:2] != others or rows[-2:] != rest or len(rows) > 5
            found.append(f"{'changes others' if changed else 'let in'}: {what}")
    return found


def by_the_engine(**lenient):
    """The engine's own reader, with whatever it tolerates."""
    how = {"auto_detect": False, "header": True, "quote": '"', "escape": '"', "nullstr": "", "strict_mode": True, **lenient}

    def opened(self, csv):
        names = csv.path.read_bytes().split(b"\n")[0].decode().split(",")
        return self.connection.read_csv(str(csv.path), columns=dict.fromkeys(names, "VARCHAR"), **how)

    return setting(Workspace, "_open_csv", opened)


def with_rule(state, kind, new):
    """One rule of the grammar changed."""
    rules = grammar.RULES.copy()
    rules[state, kind] = new
    return setting(grammar, "RULES", rules)


def bytes_replaced(patch):
    decoder = delimited.codecs.getincrementaldecoder
    patch.setattr(delimited.codecs, "getincrementaldecoder", lambda name: functools.partial(decoder(name), "replace"))


FILE_MUTATIONS = {
    "F01": ("the engine reads, as it did", by_the_engine(ignore_errors=True, null_padding=True, strict_mode=False)),
    "F02": ("lines that do not parse are left out", by_the_engine(ignore_errors=True)),
    "F03": ("short records are filled up", by_the_engine(null_padding=True)),
    "F04": ("the engine guesses what is meant", by_the_engine(strict_mode=False)),
    "F05": ("bytes that are not UTF-8 are replaced", bytes_replaced),
    "F06": ("text behind a closing quote is kept", with_rule(grammar.CLOSED, grammar.ORDINARY, grammar.PLAIN)),
    "F07": ("a quote inside a field is text", with_rule(grammar.PLAIN, grammar.QUOTE, grammar.PLAIN)),
    "F08": ("a carriage return ends a record", with_rule(grammar.PLAIN, grammar.CR, grammar.DONE)),
    "F09": ("the end of the file closes a quote", with_rule(grammar.QUOTED, grammar.END, grammar.DONE)),
}
"""Lenient readers of files; `file_alarms` has to notice each."""
