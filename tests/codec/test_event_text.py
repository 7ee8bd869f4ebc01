"""An event is a text, and the same event again; what is none is named with the place where it is kept."""

from __future__ import annotations

import json

import pytest

from zdd import codec
from zdd.errors import JournalError
from zdd.events import StagePassed

PASSED = StagePassed(at_s=1.5, service="web", deployment="web-1", stage=1, title="äöü \ud800 \0")


def test_it_comes_back_from_its_text() -> None:
    text = codec.event_text(PASSED)
    assert text.isascii()
    assert codec.read_event(text, codec.FORMAT, "here") == PASSED
    assert codec.read_event(text, codec.FORMAT - 1, "here") == PASSED  # what an older zdd has written


@pytest.mark.parametrize(
    ("text", "written_format", "words"),
    [
        (codec.event_text(PASSED), codec.FORMAT + 1, f"here has format {codec.FORMAT + 1}, .* install a newer zdd"),
        ("", codec.FORMAT, "here is not JSON"),
        ('{"$": "stage passed"', codec.FORMAT, "here is not JSON"),
        ('{"a":' * 10_000, codec.FORMAT, "here is not JSON"),
        (json.dumps({"$": "no such event"}), codec.FORMAT, "here: .* Install the zdd that wrote it"),
        (json.dumps("stage passed"), codec.FORMAT, "here is no event but 'stage passed'"),
    ],
)
def test_what_is_none_is_named(text: str, written_format: int, words: str) -> None:
    with pytest.raises(JournalError, match=words):
        codec.read_event(text, written_format, "here")
