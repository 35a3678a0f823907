"""The protocol of a move holds in every interleaving, and each of its guards is needed."""

import pytest

from protocol_model import SCENES, explore
from protocol_world import Flaw

STATES_MIN = 150_000


def test_every_interleaving_keeps_every_acknowledged_write_and_one_serving_home():
    found = {name: explore(world) for name, world in SCENES.items()}
    assert {name: (f.violation, f.trace) for name, f in found.items() if f.violation} == {}
    assert sum(f.states for f in found.values()) > STATES_MIN


@pytest.mark.parametrize("flaw", list(Flaw), ids=lambda flaw: flaw.name.lower())
def test_a_guard_that_is_taken_out_is_missed(flaw: Flaw):
    found = (explore(world, flaw) for world in SCENES.values())
    assert any(f.violation for f in found), flaw.value
