"""For what must not run twice at once: everything is replaced in one stage."""

from __future__ import annotations

import pytest

from zdd.strategies.recreate import Recreate

OLD = [("web", "old", 1, None), ("web-2", "old", 1, None), ("web-3", "old", 1, None)]
HALF = [("web", "new", 1, None), *OLD[1:], ("web-4", "new", 1, None)]
NEW = [(name, "new", 1, None) for name in ("web", "web-2", "web-3")]

ALL_NEW = "web: 1 new 33 %; web-2: 1 new 33 %; web-3: 1 new 33 %"


@pytest.mark.parametrize("cells", [[], OLD, NEW, OLD[:1]], ids=["first", "update", "done", "some are missing"])
def test_one_stage_replaces_everything_in_place(situation, steps, cells):
    assert steps(Recreate(), situation(*cells, overlap="forbidden")) == [ALL_NEW]
    assert Recreate().surge(situation(*cells, overlap="forbidden")) == 0


def test_cells_that_are_too_many_go(situation, steps):
    assert steps(Recreate(), situation(*HALF, overlap="forbidden")) == [f"{ALL_NEW}; web-4: 0 new 0 %"]


def test_requests_are_held_where_every_edge_can_and_something_serves(situation):
    def held(*cells, holds, held=False):
        return Recreate().stages(situation(*cells, holds=holds, held=held, overlap="forbidden"))[0].held

    assert held(*OLD, holds=True)
    assert not held(*OLD, holds=False)
    assert not held(holds=True)  # nobody waits for what was never there
    assert held(holds=True, held=True)  # somebody does since it was interrupted
    assert held(("web", "old", 0, 0), holds=True)


def test_requests_that_are_held_go_on_being_held_when_a_joined_one_was_interrupted_in_its_gap(situation):
    stopped = situation(("web", "old", 0, 0), holds=True, held=True, overlap="forbidden")
    (stage,) = Recreate().stages(stopped.after(()))  # what the part before it leads to: no instance, so no cell
    assert stage.held
