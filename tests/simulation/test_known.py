"""What was found and is not mended yet still shows: a line goes from `known.py` when it is mended."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from zdd.simulation import simulate

_SPECIFICATION = importlib.util.spec_from_file_location("known_faults", Path(__file__).parent / "known.py")
assert _SPECIFICATION is not None
assert _SPECIFICATION.loader is not None
_MODULE = importlib.util.module_from_spec(_SPECIFICATION)
_SPECIFICATION.loader.exec_module(_MODULE)


def _expected(fault):
    return pytest.param(fault, marks=pytest.mark.xfail(strict=True, reason=fault.why), id=str(fault.seed))


@pytest.mark.parametrize("fault", [_expected(fault) for fault in _MODULE.KNOWN])
def test_no_rule_is_broken(fault):
    assert simulate(fault.seed).violations == ()
