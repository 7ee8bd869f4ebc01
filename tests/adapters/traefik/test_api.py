"""Which answers of Traefik are taken for old ones, by the time that it tells with each; in virtual time."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest
from attrs import define, field

from zdd.adapters.traefik.api import CLOCK_S, Freshness
from zdd.errors import TemporaryError

OLDEST_S = 3.0
"""How old an answer may be that is believed."""


@define
class Traefik:
    """A Traefik whose clock may be put back, and what is between it and who asks."""

    freshness: Freshness = field(factory=Freshness)
    now_s: float = 1000.0
    ahead_s: float = 1.7e9
    rate: float = 1.0
    latency_s: Callable[[], float] = lambda: 0.01

    def told_s(self, at_s: float) -> float:
        return math.floor(self.ahead_s + self.rate * at_s)

    def believed(self, told_s: float | None = None) -> bool:
        """Ask, or be given this answer, and say whether it was believed."""
        asked_s, between_s, back_s = self.now_s, self.latency_s(), self.latency_s()
        self.now_s += between_s + back_s
        try:
            given_s = self.told_s(asked_s + between_s) if told_s is None else told_s
            self.freshness.check("traefik", given_s, asked_s, self.now_s)
        except TemporaryError:
            return False
        return True

    def pass_s(self, seconds: float) -> None:
        self.now_s += seconds

    def look(self, seconds: float, every_s: float) -> list[bool]:
        """Ask again and again, and say each time whether it was believed."""
        end_s, found = self.now_s + seconds, []
        while self.now_s < end_s:
            found.append(self.believed())
            self.pass_s(every_s)
        return found


@pytest.mark.parametrize("put_back_s", [0.5, 5.0, 60.0, 3600.0, 1e6])
@pytest.mark.parametrize("every_s", [0.05, 1.0, 7.0, 60.0])
def test_a_clock_that_was_put_back_is_believed_after_a_stated_time(put_back_s: float, every_s: float) -> None:
    traefik = Traefik()
    assert all(traefik.look(100, every_s))
    traefik.ahead_s -= put_back_s
    began_s = traefik.now_s
    while not traefik.believed():
        traefik.pass_s(every_s)
    took_s = traefik.now_s - began_s
    assert took_s <= CLOCK_S + every_s + 0.1
    assert (took_s < 0.1) is (put_back_s < 1)
    assert all(traefik.look(100, every_s))


def test_answers_that_come_late_now_and_then_put_it_off_no_further() -> None:
    chance = random.Random(7)  # noqa: S311 - no secret
    traefik = Traefik(latency_s=lambda: chance.choice([0.01, 0.01, 0.99]))
    traefik.look(60, 0.5)
    traefik.ahead_s -= 600
    began_s = traefik.now_s
    while not traefik.believed():
        traefik.pass_s(0.5)
    assert traefik.now_s - began_s < CLOCK_S + 2.5


def test_it_says_so(caplog: pytest.LogCaptureFixture) -> None:
    traefik = Traefik()
    traefik.believed()
    traefik.ahead_s -= 600
    with pytest.raises(TemporaryError, match=r"answers as it did 600\.\d s ago.* has gone on for 10 s$"):
        traefik.freshness.check("traefik", traefik.told_s(traefik.now_s), traefik.now_s, traefik.now_s)
    traefik.look(20, 1.0)
    assert [record.message for record in caplog.records] == [
        "zdd.edge_clock: the clock of traefik was put back by 600 s"
    ]


@pytest.mark.parametrize("every_s", [0.05, 1.0, 2.5, 7.0, 60.0])
def test_an_answer_that_is_given_again_and_again_is_never_believed_for_long(every_s: float) -> None:
    traefik = Traefik()
    assert traefik.believed()
    old_s, began_s = traefik.told_s(traefik.now_s), traefik.now_s
    while traefik.now_s < began_s + 3600:
        traefik.pass_s(every_s)
        assert not traefik.believed(old_s) or traefik.now_s - began_s <= OLDEST_S
    assert traefik.believed()


@pytest.mark.parametrize("kept_s", [2.5, 10.0, 30.0, 120.0])
@pytest.mark.parametrize("every_s", [0.3, 1.0, 4.0])
def test_what_keeps_the_answer_to_each_of_several_questions_for_a_time_gets_no_old_one_believed(
    kept_s: float, every_s: float
) -> None:
    traefik = Traefik()
    kept = [(-math.inf, 0.0)] * 3
    assert traefik.believed()
    for number in range(3000):
        page = number % 3
        if traefik.now_s - kept[page][0] > kept_s:
            kept[page] = (traefik.now_s, traefik.told_s(traefik.now_s))
        age_s = traefik.now_s - kept[page][0]
        assert not traefik.believed(kept[page][1]) or age_s <= OLDEST_S
        traefik.pass_s(every_s if page == 2 else 0.001)


@pytest.mark.parametrize("rate", [0.9995, 1.0005])
def test_a_clock_that_goes_a_little_slower_or_faster_is_as_good(rate: float) -> None:
    traefik = Traefik(rate=rate)
    assert all(traefik.look(7200, 10.0))
