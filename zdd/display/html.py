"""Reports as one page of HTML that needs nothing else: no other file, no network, no script."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from zdd.display.drawing import Picture, Scale, TrafficSample
from zdd.display.phases import lives
from zdd.display.style import STYLE, patterns_svg
from zdd.display.tables import details_html, outcome_kind, outcome_words, summary_table
from zdd.display.timeline import timeline_svg
from zdd.events import Outcome
from zdd.report import CapacityPoint, Report
from zdd.report_forms import capacity_words_of
from zdd.wording import change, count, date_and_time, duration, printable

__all__ = ["TrafficSample", "report_html"]


def report_html(
    reports: Iterable[Report], *, title: str, traffic: Iterable[TrafficSample] = (), notes: Iterable[str] = ()
) -> str:
    """Return one self-contained page about one or many deployments.

    Args:
        reports: In any order; the page shows them as they began.
        title: What the page is called.
        traffic: What clients saw meanwhile, for the requests by version.
        notes: Sentences for the reader, shown at the top.
    """
    every = sorted(reports, key=lambda report: (report.started_s, report.service))
    samples = sorted(traffic, key=lambda sample: sample.at_s)
    styles = _styles(every, samples)
    parts = [
        f"<h1>{_text(title)}</h1>",
        f'<p class="soft">{_subtitle(every)}</p>',
        _notes(notes),
        _cards(every, samples),
        f"<section><h2>Deployments</h2>{summary_table(every)}</section>" if every else "",
        _overview(every, samples, styles) if len(every) > 1 else "",
        *(_section(number, report, every[:number], samples, styles) for number, report in enumerate(every)),
    ]
    body = "\n".join(part for part in parts if part)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n{patterns_svg()}\n"
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _text(value: object) -> str:
    return html.escape(printable(value))


def _styles(reports: Sequence[Report], samples: Sequence[TrafficSample]) -> dict[str, int]:
    """Give each version a colour and a pattern, in the order in which it comes up."""
    versions: list[str] = []
    for report in reports:
        versions += [report.from_version, report.to_version, *(one.version for one in report.instances)]
    versions += [sample.version for sample in samples]
    return {version: number for number, version in enumerate(dict.fromkeys(filter(None, versions)))}


def _subtitle(reports: Sequence[Report]) -> str:
    if not reports:
        return "No deployment is on record."
    services = ", ".join(dict.fromkeys(_text(report.service) for report in reports))
    begin, end = reports[0].started_s, max(report.ended_s for report in reports)
    deployments = count(len(reports), "deployment")
    return f"{deployments} of {services}, {date_and_time(begin)} to {date_and_time(end)}"


def _notes(notes: Iterable[str]) -> str:
    lines = "".join(f"<li>{_text(note)}</li>" for note in notes)
    return f'<ul class="notes break">{lines}</ul>' if lines else ""


def _cards(reports: Sequence[Report], samples: Sequence[TrafficSample]) -> str:
    if not reports:
        return ""
    cards = []
    if len(reports) > 1:
        good = sum(report.succeeded for report in reports)
        cards.append((f"{good} of {len(reports)}", "deployments succeeded", ""))
    else:
        (report,) = reports
        cards.append((outcome_words(report), f"in {duration(report.seconds)}", outcome_kind(report)))
    cards.append(_floor_card(reports))
    if samples:
        failed = sum(sample.failed for sample in samples)
        cards.append((f"{sum(sample.requests for sample in samples):,}", "requests by clients", ""))
        cards.append((f"{failed:,}", "requests failed", "bad" if failed else "good"))
    cut = sum(len(report.cut) for report in reports)
    cards.append((str(cut), "instances cut with something in flight", "bad" if cut else "good"))
    unproven = sum(len(report.unproven) for report in reports)
    cards.append((str(unproven), "things that stayed unproven", "warn" if unproven else "good"))
    items = "".join(f'<li><b class="{kind}">{_text(n)}</b><span>{_text(words)}</span></li>' for n, words, kind in cards)
    return f'<ul class="cards">{items}</ul>'


def _floor_card(reports: Sequence[Report]) -> tuple[str, str, str]:
    """Say whether the floor held, of those deployments that had one to hold and measured it."""
    later = [report for report in reports if not report.first and report.capacity_floor is not None]
    if not later:
        return "not measured" if not reports[0].first else "no floor", "useful capacity before", ""
    below = sum(report.below_floor_s for report in later)
    if below:
        return duration(below), "useful capacity below the floor", "bad"
    return "held", "capacity floor, all the time", "good"


def _overview(reports: Sequence[Report], samples: Sequence[TrafficSample], styles: dict[str, int]) -> str:
    start_s, end_s = reports[0].started_s, max(report.ended_s for report in reports)
    one_service = len({report.service for report in reports}) == 1
    picture = Picture(
        scale=_scale(start_s, end_s),
        start_s=start_s,
        name="All deployments, capacity and requests over time",
        styles=styles,
        deployments=reports,
        capacity=_joined(reports) if one_service else (),
        replicas=max(report.replicas for report in reports),
        traffic=samples,
    )
    return f'<section><h2>All of it</h2><div class="wide">{timeline_svg(picture)}</div></section>'


def _joined(reports: Sequence[Report]) -> tuple[CapacityPoint, ...]:
    return tuple(sorted((point for report in reports for point in report.capacity), key=lambda point: point.at_s))


def _scale(start_s: float, end_s: float) -> Scale:
    room_s = max(0.2, (end_s - start_s) * 0.015)
    return Scale(start_s - room_s, end_s + room_s)


def _section(
    number: int,
    report: Report,
    earlier: Sequence[Report],
    samples: Sequence[TrafficSample],
    styles: dict[str, int],
) -> str:
    picture = Picture(
        scale=_scale(report.started_s, report.ended_s),
        start_s=report.started_s,
        name=report.summary,
        styles=styles,
        stages=report.stages,
        lives=lives(report, earlier),
        capacity=report.capacity,
        replicas=report.replicas,
        traffic=samples,
    )
    what = html.escape(change(report.from_version, report.to_version, beside=report.beside))
    outcome = f'<span class="{outcome_kind(report)}">{outcome_words(report)}</span>'
    reason = f'<p class="reason">{_text(report.reason)}</p>' if report.reason and not report.succeeded else ""
    if report.outcome is Outcome.UNCHANGED:
        how = printable(report.reason)
    else:
        how = f"{printable(report.strategy)}, {duration(report.seconds)}, {capacity_words_of(report)}"
    drawing = f'{_LEGEND}<div class="wide">{timeline_svg(picture)}</div>' if report.seconds else ""
    return (
        f'<section id="deployment-{number + 1}">'
        f'<h2 class="break">{number + 1}. {_text(report.service)}: {what} {outcome}</h2>'
        f'<p class="soft break">{html.escape(how)}</p>{reason}'
        f"{drawing}{details_html(report)}</section>"
    )


def _swatch(inside: str, words: str) -> str:
    return f'<span><svg viewBox="0 0 22 12" aria-hidden="true">{inside}</svg>{words}</span>'


def _bar(kind: str) -> str:
    size = 'x="0" y="0" width="22" height="12"'
    return f'<rect {size} class="phase-{kind}"/><rect {size} class="pattern-{kind}"/>'


def _cross(path: str) -> str:
    return f'<circle cx="11" cy="6" r="5.2" class="mark-ground"/><path d="{path}" class="mark-bad"/>'


_LEGEND = (
    '<div class="legend">'
    + _swatch(_bar("starting"), "starting")
    + _swatch(_bar("proven"), "proven by its gates")
    + _swatch(_bar("traffic"), "in traffic")
    + _swatch(_bar("draining"), "draining")
    + _swatch('<rect x="9.5" y="0" width="3" height="12" class="mark-stopped"/>', "stopped")
    + _swatch(_cross("M8.5 6H13.5M11 3.5V8.5"), "cut")
    + _swatch(_cross("M9 4L13 8M13 4L9 8"), "lost")
    + "</div>"
)
