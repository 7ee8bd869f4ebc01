"""`evolve` gives what `attrs.evolve` gives, for every class that it is used for."""

from __future__ import annotations

import attrs
import pytest

from zdd.events import Moment
from zdd.model.cached import cached_property
from zdd.model.evolve import evolve
from zdd.model.traffic import EdgeView
from zdd.reconciler.decision import Decision
from zdd.reconciler.progress import InstanceRecord, Progress
from zdd.status import InstanceStatus, Status

CHANGED = [
    (Progress(), {"stage": 3, "failure": "why"}),
    (InstanceRecord("web", "r1"), {"seen_s": 3.0}),
    (Decision(), {"until_s": 5.0}),
    (EdgeView("edge", 1.0), {"as_of_s": 2.0}),
    (Status(), {"title": "canary"}),
    (InstanceStatus("web.1", "web", "1.0", Moment.LAUNCHED, 1.0), {"found": True}),
]


@pytest.mark.parametrize(("value", "changes"), CHANGED, ids=lambda one: type(one).__name__)
def test_it_gives_what_attrs_gives_and_leaves_the_value_as_it_was(value, changes):
    before = attrs.evolve(value)
    changed = evolve(value, **changes)
    assert changed == attrs.evolve(value, **changes) != before
    assert value == before
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(changed, next(iter(changes)), None)


@pytest.mark.parametrize("kind", [type(value) for value, _ in CHANGED])
def test_the_classes_it_is_used_for_are_nothing_but_their_attributes(kind):
    assert not any(field.converter or field.validator or not field.init for field in attrs.fields(kind))
    assert not hasattr(kind, "__attrs_post_init__")
    assert not any(isinstance(one, cached_property) for base in kind.__mro__ for one in vars(base).values())
