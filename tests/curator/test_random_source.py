"""Where the noise's bits come from: the operating system alone, so no process, thread or worker ever repeats another's."""

import ast
import inspect
import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from tabsynth import curator
from tabsynth.curator import noise
from tabsynth.curator.noise import discrete_gaussian, gaussian

CURATOR = sorted(Path(curator.__file__).parent.glob("*.py"))
DRAWS = 4096
PATIENCE = 60
"""Seconds that a child process is waited for."""


def alike(vectors) -> float:
    """The largest correlation, in standard errors, of any two vectors or of their absolute values, at any shift of one of them."""
    largest = 0.0
    for of in (np.asarray, np.abs):
        spectra = [np.fft.rfft((of(v) - of(v).mean()) / of(v).std()) for v in vectors]
        for i, first in enumerate(spectra):
            for second in spectra[:i]:
                at_every_shift = np.fft.irfft(first * second.conj(), len(vectors[0])) / np.sqrt(len(vectors[0]))
                largest = max(largest, np.abs(at_every_shift).max())
    return largest


MOST = 7.5
"""What `alike` of independent vectors exceeds once in 10 million times, for a few vectors of a few ten thousand."""


def drawn() -> dict[str, np.ndarray]:
    """Noise of both kinds, drawn by whoever calls this."""
    return {"discrete": discrete_gaussian((DRAWS,), 50.0), "continuous": gaussian((DRAWS,))}


def unrelated(answers) -> bool:
    """Whether nothing in any answer resembles anything of its kind in another."""
    return all(alike([a[kind] for a in answers]) < MOST for kind in answers[0])


def test_vectors_that_share_a_stream_are_found():
    first, second = (discrete_gaussian((DRAWS,), 50.0) for _ in range(2))
    assert alike([first, second]) < MOST
    assert alike([first, np.roll(first, 1000)]) > 50, "the same stream, a while later"
    signs = np.where(gaussian((DRAWS,)) < 0, -1, 1)
    assert alike([first, first * signs]) > 50, "the same sizes under other signs"


def _send(pipe, start, draw) -> None:
    start.wait(PATIENCE)
    pipe.send(draw())
    pipe.close()


def in_processes(method: str, draw, processes: int = 3) -> list[dict[str, np.ndarray]]:
    """What child processes and this one draw at the same moment; no child outlives the call."""
    context = multiprocessing.get_context(method)
    start = context.Event()
    pipes = [context.Pipe(duplex=False) for _ in range(processes)]
    children = [context.Process(target=_send, args=(end, start, draw), daemon=True) for _, end in pipes]
    try:
        for child in children:
            child.start()
        start.set()
        answers = [draw()]
        for here, _ in pipes:
            assert here.poll(PATIENCE), "a child process gave no answer in time"
            answers.append(here.recv())
        return answers
    finally:
        for child in children:
            child.kill()
            child.join()


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_never_share_a_stream(method):
    """All draw right after they were made, and the parent had drawn before, so any state of a generator would be theirs too."""
    before = drawn()
    assert unrelated([before, *in_processes(method, drawn, 3 if method == "fork" else 2)])


def test_forks_of_a_gradient_stream_draw_batches_of_their_own():
    torch = pytest.importorskip("torch")
    from tabsynth.curator.gradients import GradientStream

    critic = torch.nn.Sequential(torch.nn.Linear(2, 1))
    codes, units = np.zeros((1, DRAWS), dtype=int), np.arange(DRAWS)
    stream = GradientStream(codes, units, [2], critic, steps=9, rate=0.5, clip=1.0, multiplier=1.0)
    batch = lambda: {"batch": np.bincount(stream._batch(), minlength=DRAWS)}  # noqa: E731
    answers = [batch(), *in_processes("fork", batch)]
    coins = [a["batch"] + 0.01 * gaussian((DRAWS,)) for a in answers]
    assert alike(coins) < MOST


def together(draw, threads: int = 6) -> list:
    """What threads draw at the same moment."""
    barrier, answers = threading.Barrier(threads), []

    def one() -> None:
        barrier.wait(PATIENCE)
        answers.append(draw())

    started = [threading.Thread(target=one) for _ in range(threads)]
    for t in started:
        t.start()
    for t in started:
        t.join(PATIENCE)
    assert len(answers) == threads
    return answers


def test_threads_never_share_a_stream():
    assert unrelated(together(drawn))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib_workers_never_share_a_stream(backend):
    """More jobs than workers: a worker's second job is not its first one again."""
    from joblib import Parallel, delayed
    from joblib.externals.loky import get_reusable_executor

    try:
        assert unrelated(Parallel(n_jobs=2, backend=backend, timeout=PATIENCE)(delayed(drawn)() for _ in range(4)))
    finally:
        if backend == "loky":
            get_reusable_executor(max_workers=2).shutdown(wait=True, kill_workers=True)


FORKING = """
import os, signal, sys
import numpy as np, pandas as pd
from tabsynth import Schema
from tabsynth.codec import Codec, public_coder
from tabsynth.curator.ledger import Budget, Ledger
from tabsynth.curator.table import PrivateTable

signal.alarm({patience})
columns = {{name: {{"kind": "integer", "minimum": 0, "maximum": 30}} for name in "ab"}}
schema = Schema.from_dict({{"name": "t", "unit": {{"key": "id"}}, "columns": {{"id": {{"kind": "identifier"}}, **columns}}}})
frame = pd.DataFrame({{"id": np.arange(20) // 2, "a": np.arange(20), "b": np.arange(20) % 7}})
child = os.fork()
signal.alarm({patience})
with PrivateTable(frame, schema, Ledger(Budget(1, 1e-6))) as table:
    table.encode(Codec(schema, {{c.name: public_coder(c) for c in schema.modelled}}))
    answer = table.measure([("a", "b")], costs=[1e-3])[0].counts
which = "parent" if child else "child"
np.save(os.path.join(sys.argv[1], which), answer)
if child:
    os.waitpid(child, 0)
"""


def test_forks_of_a_fit_get_answers_of_their_own(tmp_path):
    """A fresh interpreter forks before it opens the table; either process would end itself after a while."""
    script = FORKING.format(patience=PATIENCE)
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=True, timeout=2 * PATIENCE)
    answers = [np.load(tmp_path / f"{who}.npy").ravel() for who in ("parent", "child")]
    assert alike(answers) < MOST


SEEDED = ("random", "numpy.random", "np.random", "torch.random", "ibis.random", "scipy.stats", "opacus.optimizers")
METHODS = {
    "default_rng", "RandomState", "Generator", "SystemRandom", "PCG64", "MT19937", "Philox", "manual_seed", "seed", "rand", "randn",
    "randint", "randperm", "rand_like", "randn_like", "bernoulli", "bernoulli_", "normal_", "uniform_", "multinomial", "poisson",
    "standard_normal", "shuffle", "permutation", "sample", "uuid4",
}  # fmt: skip


def seeded(source: str) -> set[str]:
    """What a module takes from generators that can be seeded, or that keep a state that a fork would copy."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Attribute):
            names = [ast.unparse(node)]
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and "random()" in node.value.lower():
            names = ["random"]
        else:
            continue
        found |= {n for n in names if any(n == s or n.startswith(f"{s}.") for s in SEEDED) or n.rpartition(".")[2] in METHODS}
    return found


@pytest.mark.parametrize(
    "source",
    [
        "import random", "from random import gauss", "import numpy.random", "from numpy import random", "np.random.normal(size=3)",
        "rng = np.random.default_rng()", "from numpy.random import default_rng", "torch.randn(3)", "torch.manual_seed(0)",
        "noise.normal_(0, 1)", "rows.order_by(ibis.random())", "connection.raw_sql('SELECT random()')", "from opacus.optimizers import X",
    ],
)  # fmt: skip
def test_the_check_finds_generators(source):
    assert seeded(source)


@pytest.mark.parametrize("path", CURATOR, ids=lambda p: p.name)
def test_the_curator_uses_no_generator_that_can_be_seeded(path):
    assert not seeded(path.read_text(encoding="utf-8"))


def test_noise_comes_from_the_operating_system_unless_a_test_says_otherwise():
    assert noise.os is os
    sources = {name: inspect.signature(f).parameters.get("random") for name, f in inspect.getmembers(noise, inspect.isfunction)}
    given = {name: source.default for name, source in sources.items() if source is not None}
    private = {name for name in given if name.startswith("_")}
    assert {name: default for name, default in given.items() if name not in private} == dict.fromkeys(
        ("discrete_gaussian", "gaussian"), os.urandom
    )
    assert all(given[name] is inspect.Parameter.empty for name in private), "handed on, never chosen"


@pytest.mark.parametrize("path", [p for p in CURATOR if p.name != "noise.py"], ids=lambda p: p.name)
def test_nobody_hands_the_noise_another_source(path):
    calls = [n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call)]
    assert not [ast.unparse(c) for c in calls if any(k.arg == "random" for k in c.keywords)]
    drawing = [c for c in calls if ast.unparse(c.func).rpartition(".")[2] in ("discrete_gaussian", "gaussian")]
    assert not [ast.unparse(c) for c in drawing if any(k.arg is None for k in c.keywords)]
