"""The same seed gives the same trace, in any process."""

from __future__ import annotations

import os
import subprocess
import sys

from zdd.simulation import FaultClass, draw, simulate

NAMED = 2840
"""A life in which one deployer is told that another one has its place, by name."""

TWO_AT_ONCE = (FaultClass.DEPLOYER_PAUSED, FaultClass.SECOND_DEPLOYER)


def seeds():
    together = [seed for seed in range(200) if any(kind in TWO_AT_ONCE for kind in draw(seed).classes)]
    return [*range(6), *together[:6], NAMED]


def traces(hash_seed):
    code = f"from zdd.simulation import simulate\nfor seed in {seeds()}: print(simulate(seed).trace)"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_two_processes_with_different_hash_seeds_give_the_same_traces():
    first = traces("1")
    assert len(first) == len(seeds())
    assert first == traces("2")
    assert first == [simulate(seed).trace for seed in seeds()]


def test_different_seeds_give_different_traces():
    assert len({simulate(seed).trace for seed in range(8)}) == 8
