"""Every known bug in turn, sound engines again and again, and how near the proven epsilon comes to what could be proven."""

import pytest
from audit_mutations import MUTATIONS, WORST, Mutation, alarms, hunt

from tabsynth.curator.ledger import Budget, epsilon_of
from tabsynth.validate.audit.engines import ENGINES, engine
from tabsynth.validate.audit.run import judge
from tabsynth.validate.audit.transcripts import transcripts

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("number", MUTATIONS)
def test_each_known_bug_is_found(number):
    assert hunt(MUTATIONS[number])["layers"]


def test_twenty_sound_audits_raise_at_most_one_alarm():
    smallest = {(m.engine, m.pair.name, m.epsilon): m for m in MUTATIONS.values() if m.runs}
    found = [alarms(mutation) for _ in range(20) for mutation in smallest.values()]
    assert sum(map(bool, found)) <= 1, found


@pytest.mark.parametrize("name", ENGINES)
def test_what_is_proven_is_near_what_can_be(name):
    """1,500 fits in each world; chance moves the proven epsilon by 4 % (one standard deviation)."""
    budget, result = Budget(8, 1e-5, 0.1), {"stages": [], "noise": {}, "alarms": []}
    judge(WORST, [transcripts(engine(name), WORST, budget, world, 1500) for world in (0, 1)], budget, result)
    assert result["alarms"] == []
    proven, provable = (epsilon_of(result["total"][each] ** 2 / 2, 1e-5) for each in ("proven", "provable"))
    assert 0.85 * provable <= proven <= 8


def test_a_sound_product_is_sound_where_bugs_show():
    assert alarms(Mutation("nothing", lambda patch: None, "mst", fits=20)) == []
