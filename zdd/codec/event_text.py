"""An event as journals keep it: a text, and the number of the format that it was written in."""

from __future__ import annotations

import json

from zdd.codec.reading import decode
from zdd.codec.tags import FORMAT
from zdd.codec.writing import encode
from zdd.errors import JournalError
from zdd.events import Event


def event_text(event: Event) -> str:
    """Return the event as a text in the present format.

    Raises:
        JournalError: Something in it can't be written down.
    """
    return json.dumps(encode(event), allow_nan=False, separators=(",", ":"))


def read_event(text: str, written_format: int, where: str) -> Event:
    """Return the event that was written.

    Args:
        text: What `event_text` returned then.
        written_format: The number of the format in which that was.
        where: Where it is kept, for messages.

    Raises:
        JournalError: It is damaged, or a newer zdd has written it.
    """
    if written_format > FORMAT:
        raise JournalError(
            f"{where} has format {written_format}, and this zdd knows formats up to {FORMAT}: install a newer zdd"
        )
    try:
        event = decode(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise JournalError(f"{where} is not JSON: {error}") from error
    except JournalError as error:
        raise JournalError(f"{where}: {error}. Install the zdd that wrote it, or a newer one") from error
    if not isinstance(event, Event):
        raise JournalError(f"{where} is no event but {event!r}")
    return event
