"""Takes each guard of the reconciler away in turn and prints the cases that go wrong without it: ``make guards``."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

from zdd.reconciler.guards import GUARDS
from zdd.reconciler.reconcile import reconcile


def _conftest() -> Any:
    specification = importlib.util.spec_from_file_location("reader", Path(__file__).parent / "conftest.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["reader"] = module
    specification.loader.exec_module(module)
    return module


def main() -> int:
    """Print the table; return 1 if a guard can be taken away without any case going wrong."""
    reader = _conftest()
    missed = []
    for guard in GUARDS:
        fewer = tuple(other for other in GUARDS if other is not guard)
        caught = []
        for case in reader.ALL_CASES:
            decision = reconcile(case.observation, case.plan, case.progress, case.observation.as_of_s, guards=fewer)
            if reader.describe(decision.commands, case.observation) != case.expect:
                caught.append(case.title)
        print(f"{guard.name}: {guard.rule}")
        for title in caught:
            print(f"    caught by: {title}")
        if not caught:
            missed.append(guard.name)
    print(f"{len(GUARDS)} guards, {len(GUARDS) - len(missed)} caught when taken away", *missed)
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
