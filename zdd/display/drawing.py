"""The pieces that a timeline is drawn from: what it shows, its scale, and a few shapes as SVG text."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen

from zdd.display.phases import Life
from zdd.report import CapacityPoint, Report, StageTimes
from zdd.wording import printable

WIDTH = 1160
LEFT = 214
RIGHT = 18
PANEL = 96
CHARACTER = 6.2
"""The mean width of a character of 11 px text, for finding room."""

VERSION_STYLES = 6


@frozen
class TrafficSample:
    """What clients saw of one version during one short time.

    Attributes:
        at_s: When, in seconds since the epoch.
        version: The version that answered; empty if none did.
        requests: How many requests ended from then until the next sample.
        failed: How many of these failed.
    """

    at_s: float
    version: str
    requests: int
    failed: int = 0


@frozen
class Scale:
    """Maps times to horizontal places.

    Attributes:
        from_s: The left edge, in seconds since the epoch.
        to_s: The right edge.
    """

    from_s: float
    to_s: float

    @property
    def span_s(self) -> float:
        """How many seconds it covers; never 0."""
        return max(self.to_s - self.from_s, 0.001)

    def x(self, at_s: float) -> float:
        """Return the place of a time, within the edges."""
        share = (at_s - self.from_s) / self.span_s
        return LEFT + (WIDTH - LEFT - RIGHT) * min(1.0, max(0.0, share))


@frozen
class Picture:
    """What a timeline draws.

    Attributes:
        scale: Its times.
        start_s: What the axis counts from, in seconds since the epoch.
        name: What it shows, for those who can't see it.
        styles: Version → number of its colour and pattern, the same in every timeline of a page.
        stages: Marks and their titles.
        lives: Instances as bars.
        deployments: Whole deployments as bars.
        capacity: The step line.
        replicas: How many instances are wanted.
        traffic: Requests, for stacked areas.
    """

    scale: Scale
    start_s: float
    name: str
    styles: Mapping[str, int]
    stages: Sequence[StageTimes] = ()
    lives: Sequence[Life] = ()
    deployments: Sequence[Report] = ()
    capacity: Sequence[CapacityPoint] = ()
    replicas: int = 0
    traffic: Sequence[TrafficSample] = ()


@frozen
class Part:
    """A piece of a drawing: its marks, and how high it is."""

    marks: list[str] = field(factory=list)
    height: float = 0.0


def text_of(value: object) -> str:
    """Return text for the inside of an element or an attribute, on one line."""
    return html.escape(printable(value))


def short(value: str, characters: int) -> str:
    """Return text like `text_of`, cut to so many characters."""
    return html.escape(printable(value, length_max=max(2, characters)))


def label(x: float, y: float, text: str, kind: str = "", anchor: str = "start") -> str:
    """Draw text that is escaped already."""
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" text-anchor="{anchor}">{text}</text>'


def box(x: float, y: float, width: float, height: float, kinds: str, title: str = "") -> str:
    """Draw a rectangle; several kinds are laid one over the other, the title goes to the last."""
    tip = f"<title>{title}</title>" if title else ""
    at = f'x="{x:.1f}" y="{y:.1f}" width="{max(width, 0.1):.1f}" height="{max(height, 0.1):.1f}"'
    *under, last = kinds.split()
    return "".join(f'<rect {at} class="{kind}"/>' for kind in under) + f'<rect {at} class="{last}">{tip}</rect>'


def since(picture: Picture, at_s: float) -> str:
    """Return the time from the picture's start, in words."""
    return f"{at_s - picture.start_s:.1f} s"


def version_kinds(style: int) -> str:
    """Return the classes of a version's colour and of the pattern over it."""
    return f"version-{style % VERSION_STYLES} weave-{style % VERSION_STYLES}"


def key(top: float, title: str, entries: Iterable[tuple[str, str]]) -> list[str]:
    """Draw a panel's title and the words for its lines, left of it."""
    part = [label(0, top + 10, title, "title")]
    for place, (text, kind) in enumerate(entries):
        part += key_line(top + 24 + place * 16, text, kind)
    return part


def key_line(y: float, text: str, kind: str) -> list[str]:
    """Draw a short line of this kind and the word for it."""
    return [f'<line x1="0" y1="{y:.1f}" x2="26" y2="{y:.1f}" class="{kind}"/>', label(34, y + 4, text, "value")]


def ticks(top: float, roof: float, step: float) -> list[str]:
    """Draw a panel's horizontal lines and their numbers, from 0 up to `roof`."""
    part = []
    for number in range(round(roof / step) + 1):
        y = top + PANEL * (1 - number * step / roof)
        part.append(f'<line x1="{LEFT}" y1="{y:.1f}" x2="{WIDTH - RIGHT}" y2="{y:.1f}" class="grid"/>')
        part.append(label(LEFT - 8, y + 4, f"{number * step:g}", "tick", "end"))
    return part


def nice(least: float, *, whole: bool = False) -> float:
    """Return the smallest of 1, 2, 5, 10, … that is not below `least`."""
    power = 10.0 ** math.floor(math.log10(max(least, 1e-9)))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= least * 0.999)
    return max(1.0, step) if whole else step
