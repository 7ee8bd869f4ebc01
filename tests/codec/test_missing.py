"""A user's gates and actions come back by their names; what can't come back says so, and nothing else breaks."""

from __future__ import annotations

import functools
import importlib
import json
import re
import sys
from pathlib import Path
from typing import Any

import attrs
import pytest

from zdd import codec
from zdd.errors import ConfigurationError
from zdd.events import DeploymentStarted
from zdd.gates import AllOf, CommandGate, FunctionGate, Not
from zdd.model.action import ActionContext
from zdd.model.address import Address
from zdd.model.gate import Target
from zdd.model.plan import Plan, Stage
from zdd.model.service import Service
from zdd.model.verdict import Result, Sample, Verdict

TARGET = Target("web", "1.0", "r1", "web-1", {"http": Address("127.0.0.1", 1)})


def through_json(value: object) -> Any:
    return codec.decode(json.loads(json.dumps(codec.encode(value), allow_nan=False)))


USERS_MODULE = """
import enum, threading
from attrs import frozen, define, field
from zdd.model.verdict import Result, Sample, Verdict

class Colour(enum.Enum):
    RED = 1

@frozen
class Limit:
    ms: float
    colour: Colour = Colour.RED

@frozen
class Latency:
    limit: Limit
    check: object = None
    _secret: str = ""
    interval_s: float = 1.0
    deadline_s: float | None = None
    def ports(self): return frozenset()
    def sample(self, target): return Sample(Result.PASSED)
    def judge(self, samples): return Verdict(Result.PASSED)
    def __str__(self): return f"latency below {self.limit.ms} ms"

class Plain:
    interval_s = 1.0
    deadline_s = None
    def ports(self): return frozenset()
    def sample(self, target): return Sample(Result.PASSED)
    def judge(self, samples): return Verdict(Result.PASSED)
    def __str__(self): raise RuntimeError("no text")

@frozen
class Backup:
    place: str
    name: str = "back up the database"
    deadline_s: float = 60.0
    def run(self, context): return "done"

@frozen
class OneByOne:
    at_once: int
    def stages(self, situation): return ()
    def surge(self, situation): return 1
    def __str__(self): return f"one by one, {self.at_once} at once"

class Checks:
    @classmethod
    def ready(cls, target): return True
    def bound(self, target): return True

def ready(target): return True

def _wrapped():
    def ready(target): return False
    ready.__qualname__ = "ready"
    return ready

shadowed = _wrapped()
"""


@pytest.fixture
def users_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "users_checks.py").write_text(USERS_MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("users_checks")
    sys.modules.pop("users_checks", None)


def forget(users_module: Any, path: Path, text: str | None = None) -> None:
    """Let the user's module be gone, or be another one, for the next import."""
    sys.modules.pop(users_module.__name__)
    file = path / "users_checks.py"
    file.unlink()
    for cached in (path / "__pycache__").glob("users_checks*"):
        cached.unlink()
    if text is not None:
        file.write_text(text)
    importlib.invalidate_caches()


def test_a_users_gate_and_action_come_back_through_their_names(users_module: Any) -> None:
    gate = users_module.Latency(users_module.Limit(5.0), users_module.Checks.ready, secret="s")  # noqa: S106 - a field of that name
    written = codec.encode(gate)
    assert written["$gate"] == "users_checks:Latency"
    assert through_json(gate) == gate
    action = users_module.Backup("/var/backup")
    assert through_json(action) == action
    assert codec.encode(action)["text"] == "back up the database"


@pytest.mark.parametrize("function", ["ready", "Checks.ready"])
def test_a_users_function_comes_back_by_its_name(users_module: Any, function: str) -> None:
    found = functools.reduce(getattr, function.split("."), users_module)
    assert codec.encode(found) == {"$function": f"users_checks:{function}"}
    gate = FunctionGate(found, name="ready")
    assert through_json(gate) == gate


def test_a_gate_that_no_deployment_would_take_any_more_stands_missing_and_the_journal_is_read(
    users_module: Any, tmp_path: Path
) -> None:
    written = codec.encode(Service("web", gates=[users_module.Latency(users_module.Limit(5.0))]))
    forget(users_module, tmp_path, USERS_MODULE.replace("def ports", "def the_ports"))
    [gate] = codec.decode(written).gates
    assert isinstance(gate, codec.MissingGate)
    assert "has no ports" in gate.problem


def test_a_gate_whose_module_is_gone_is_inconclusive_and_says_what_to_do(users_module: Any, tmp_path: Path) -> None:
    plan = Plan(
        Service("web"),
        "r",
        {},
        (),
        (Stage("s", gates=[users_module.Latency(users_module.Limit(5.0))], actions=[users_module.Backup("/b")]),),
        0,
        1,
    )
    written = json.loads(json.dumps(codec.encode(plan)))
    forget(users_module, tmp_path)

    stage = codec.decode(written).stages[0]

    (gate,), (action,) = stage.gates, stage.actions
    assert isinstance(gate, codec.MissingGate)
    assert str(gate) == "latency below 5.0 ms (missing)"
    for said in (gate.sample(TARGET), gate.judge([]), gate.judge([Sample(Result.PASSED)])):
        assert said.result is Result.INCONCLUSIVE
        assert "users_checks:Latency can't be imported: ModuleNotFoundError" in said.reason
        assert "Make it available where this runs, or deploy without it" in said.reason
    assert gate.ports() == frozenset()
    with pytest.raises(ConfigurationError, match="users_checks:Backup can't be imported"):
        action.run(ActionContext("web", "d", "1", "2"))
    assert through_json(gate) == gate
    assert through_json(action) == action


def test_a_gate_that_was_missing_is_found_again_when_its_module_is_back(users_module: Any, tmp_path: Path) -> None:
    gate = users_module.Latency(users_module.Limit(5.0))
    written = codec.encode(gate)
    forget(users_module, tmp_path)
    missing = codec.decode(written)
    assert isinstance(missing, codec.MissingGate)
    (tmp_path / "users_checks.py").write_text(USERS_MODULE)
    importlib.invalidate_caches()
    assert str(codec.decode(codec.encode(missing))) == "latency below 5.0 ms"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "module users_checks has no Latency any more"),
        ("Latency = 5", "users_checks:Latency is no attrs class any more"),
        ("class Latency: pass", "users_checks:Latency is no attrs class any more"),
        ("import attrs\n@attrs.frozen\nclass Latency:\n  limit: object = None", "has no field 'check'"),
        ("raise RuntimeError('at import')", "RuntimeError: at import"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("no python at all", "SyntaxError"),
        (
            USERS_MODULE.replace("    limit: Limit", "    limit: Limit\n    other: int"),
            "field 'other' of .* is missing",
        ),
        (USERS_MODULE.replace("def judge", "def conclude"), "has not the methods of a gate"),
        (USERS_MODULE.replace("RED", "BLUE"), "is no enumeration with 'RED' any more"),
        (
            USERS_MODULE.replace("    limit: Limit", "    limit: Limit = field(validator=lambda *a: 1 / 0)"),
            "refuses its values: ZeroDivisionError",
        ),
    ],
)
def test_a_gate_that_is_another_thing_now_is_inconclusive(
    users_module: Any, tmp_path: Path, text: str, said: str
) -> None:
    written = json.loads(json.dumps(codec.encode(users_module.Latency(users_module.Limit(5.0)))))
    forget(users_module, tmp_path, text)
    gate = codec.decode(written)
    assert isinstance(gate, codec.MissingGate)
    assert re.search(said, gate.judge([]).reason)


def local_gate() -> Any:
    @attrs.frozen
    class Local:
        interval_s: float = 1.0
        deadline_s: float | None = None

        def ports(self) -> frozenset[str]:
            return frozenset()

        def sample(self, target: Target) -> Sample:
            return Sample(Result.PASSED)

        def judge(self, samples: Any) -> Verdict:
            return Verdict(Result.PASSED)

        def __str__(self) -> str:
            return "local gate"

    return Local()


def unwritable_gates(users_module: Any) -> dict[str, tuple[Any, str]]:
    in_main = local_gate()
    type(in_main).__module__, type(in_main).__qualname__ = "__main__", "Local"
    return {
        "lambda": (FunctionGate(lambda _target: True, name="fast"), "<lambda> has no name under which another process"),
        "partial": (FunctionGate(functools.partial(users_module.ready), name="fast"), "has no name under which"),
        "bound method": (FunctionGate(users_module.Checks().bound, name="fast"), "is not what its module has"),
        "shadowed": (FunctionGate(users_module.shadowed, name="fast"), "users_checks:ready is not what its module has"),
        "local class": (local_gate(), "<locals>.Local has no name under which another process"),
        "script": (in_main, "Local lives in the script that was started"),
        "no attrs class": (users_module.Plain(), "users_checks:Plain is no attrs class"),
        "lock": (users_module.Latency(users_module.Limit(sys.stdout)), "limit.ms is <"),
        "inside": (AllOf([Not(FunctionGate(lambda _target: True))]), "<lambda> has no name"),
    }


@pytest.mark.parametrize(
    "case",
    ["lambda", "partial", "bound method", "shadowed", "local class", "script", "no attrs class", "lock", "inside"],
)
def test_a_gate_that_can_not_be_written_down_is_written_as_missing(users_module: Any, case: str) -> None:
    gate, said = unwritable_gates(users_module)[case]
    missing = through_json(gate)
    inner = missing.gates[0].gate if case == "inside" else missing
    assert isinstance(inner, codec.MissingGate)
    assert said in inner.judge([]).reason
    assert missing.judge([]).result is Result.INCONCLUSIVE
    assert through_json(missing) == missing


def test_a_gate_that_contains_itself_does_not_stop_a_deployment(users_module: Any) -> None:
    circle: list[object] = []
    circle.append(circle)
    gate = through_json(users_module.Latency(users_module.Limit(1.0), circle))
    assert isinstance(gate, codec.MissingGate)


def test_what_was_written_is_never_run() -> None:
    """Only a class is called, and only one with the fields that were written."""
    gate = codec.decode({"$gate": "os:system", "text": "g", "fields": {"command": "exit 1"}})
    assert isinstance(gate, codec.MissingGate)
    assert "os:system is no attrs class" in gate.problem
    assert isinstance(codec.decode({"$gate": "__main__:x", "text": "g", "fields": {}}), codec.MissingGate)


def test_a_gate_of_zdd_that_refuses_its_values_now_leaves_the_journal_readable(tmp_path: Path) -> None:
    program = tmp_path / "check"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    gate = CommandGate([str(program)])
    assert through_json(gate) == gate
    written = codec.encode(gate)
    program.unlink()
    missing = codec.decode(written)
    assert isinstance(missing, codec.MissingGate)
    assert str(program) in missing.problem


# -- a user's own strategies --------------------------------------------------------------------------------


def started(strategy: object) -> Any:
    plan = Plan(Service("web"), "r", {}, (), (), 0, 1)
    head: Any = {"at_s": 1.0, "service": "web", "deployment": "d"}
    return DeploymentStarted(**head, plan=plan, from_version="", to_version="1", actor="a", strategy=strategy)


def test_a_users_strategy_comes_back_by_its_name_or_says_what_is_missing(users_module: Any, tmp_path: Path) -> None:
    event = started(users_module.OneByOne(3))
    written = json.loads(json.dumps(codec.encode(event)))
    assert codec.decode(written) == event
    forget(users_module, tmp_path)
    missing = codec.decode(written).strategy
    assert isinstance(missing, codec.MissingStrategy)
    assert str(missing) == "one by one, 3 at once (missing)"
    assert "users_checks:OneByOne can't be imported" in missing.problem
    assert not hasattr(missing, "stages")
    assert through_json(started(missing)) == started(missing)


def test_a_strategy_of_the_script_itself_does_not_stop_a_deployment() -> None:
    class Mine:
        def stages(self, situation: object) -> tuple[Stage, ...]:
            return ()

        def surge(self, situation: object) -> int:
            return 0

    missing = through_json(started(Mine())).strategy
    assert isinstance(missing, codec.MissingStrategy)
    assert "has no name under which another process can import it" in missing.problem
