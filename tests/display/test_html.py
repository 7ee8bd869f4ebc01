"""The page: complete, by itself, and safe to open."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from zdd.display.html import TrafficSample, report_html
from zdd.events import DeploymentEnded, Event, Outcome
from zdd.report import Report


class Page(HTMLParser):
    """Collects what is in a page."""

    VOID = ("meta", "br", "img")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.words)


@pytest.fixture
def reports(stories: dict[str, tuple[Event, ...]]) -> list[Report]:
    return [Report.of(events) for events in stories.values()]


def test_the_page_of_one_deployment_is_as_expected(
    stories: dict[str, tuple[Event, ...]], golden: Callable[[str, str], None]
) -> None:
    golden("report-stuck.html", report_html([Report.of(stories["stuck"])], title="web 1.7.0", notes=["A note."]))


def test_the_page_of_many_has_a_section_for_each_and_an_overview(reports: list[Report]) -> None:
    page = Page(report_html(reversed(reports), title="Three deployments"))
    assert page.open == []
    identities = [value for name, value in page.attributes if name == "id" and value.startswith("deployment-")]
    assert identities == ["deployment-1", "deployment-2", "deployment-3"]
    links = [value for name, value in page.attributes if name == "href"]
    assert links == [f"#{identity}" for identity in identities]
    assert "All of it" in page.text
    for words in ("✔ succeeded", "↩ rolled back", "✖ stuck", "1 of 3", "deployments succeeded"):
        assert words in page.text


def test_the_evidence_is_on_the_page(reports: list[Report]) -> None:
    text = Page(report_html(reports, title="t")).text
    for words in (
        "4.2 % of 118 requests failed, the limit is 1 %",
        "failed 5, rate_percent 4.237, requests 118",
        "web-4.z9 was told to stop, but was not seen to have gone",
        "never below 3 of 3 (floor 3)",
        "down to 2 of 3 (floor 3), below the floor for 1 min 00 s",
        "Cut with something in flight: web-3.a3",
    ):
        assert words in text


def test_the_page_needs_nothing_from_anywhere(reports: list[Report]) -> None:
    traffic = [TrafficSample(reports[0].started_s + n, "1.4.2", 10) for n in range(20)]
    text = report_html(reports, title="t", traffic=traffic)
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "image", "use"} & set(page.tags)
    assert not {"src", "srcset", "xlink:href", "action"} & {name for name, _ in page.attributes}
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert "//" not in text.replace("http /", "")
    assert "@import" not in text
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_hostile_text_stays_text(hostile: tuple[Event, ...], reports: list[Report]) -> None:
    evil = "</title><script>alert(1)</script>\"'><svg onload=alert(1)>\x1b[2J"
    report = Report.of(hostile)
    traffic = [TrafficSample(report.started_s + n, evil, 3, 1) for n in range(3)]
    text = report_html([report, *reports], title=evil, notes=[evil], traffic=traffic)
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not [name for name, _ in page.attributes if name.startswith("on")]
    assert all(line.isprintable() for line in text.splitlines())
    assert "<script>alert(1)</script>" in page.text


def test_a_deployment_that_changed_nothing_says_so_and_draws_nothing(stories: dict[str, tuple[Event, ...]]) -> None:
    started = stories["success"][0]
    end = DeploymentEnded(
        at_s=started.at_s,
        service=started.service,
        deployment=started.deployment,
        outcome=Outcome.UNCHANGED,
        reason="1.5.0 runs already",
    )
    text = report_html([Report.of([started, end])], title="t")
    assert "1.5.0 runs already" in Page(text).text
    assert 'class="timeline"' not in text


def test_no_deployment_is_a_page_too() -> None:
    page = Page(report_html([], title="Empty"))
    assert page.open == []
    assert "No deployment is on record." in page.text
