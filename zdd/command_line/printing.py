"""Results on standard output: text for people, or one JSON value for programs."""

from __future__ import annotations

import codecs
import json
import os
import sys
from contextlib import suppress
from typing import Any, TextIO

from zdd.command_line.vocabulary import in_shell_words


class Unheard(Exception):
    """A result could not be told. Empty: whoever read it has heard enough."""


def tell(text: str, data: Any, *, as_json: bool) -> None:
    """Print a result in the form that was asked for. Raises as `say`."""
    if as_json:
        text = json.dumps(data, ensure_ascii=not _carries_everything(sys.stdout), sort_keys=False)
    say(text)


def say(text: str) -> None:
    """Print a line of a result.

    Raises:
        Unheard: Standard output is closed, or can't be written.
    """
    stream: TextIO | None = sys.stdout
    if stream is None:
        raise Unheard("standard output is closed")
    try:
        stream.write(in_shell_words(text) + "\n")
        stream.flush()
    except OSError as error:
        _give_up(stream)
        why = "" if isinstance(error, BrokenPipeError) else f"standard output can't be written: {error.strerror}"
        raise Unheard(why) from error


def note(text: str) -> None:
    """Print a line that is no result. Where it can't be written there is nobody to be told."""
    stream: TextIO | None = sys.stderr
    if stream is None:
        return
    try:
        stream.write(f"zdd: {in_shell_words(text)}\n")
        stream.flush()
    except OSError:
        _give_up(stream)


def escape_what_it_cannot_carry(stream: TextIO | None) -> None:
    """Let the stream write an escape for what its encoding doesn't have: arrows and names need not be ASCII."""
    reconfigure = getattr(stream, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="backslashreplace")


def _carries_everything(stream: TextIO | None) -> bool:
    return codecs.lookup(getattr(stream, "encoding", None) or "utf-8").name.startswith("utf")


def _give_up(stream: TextIO) -> None:
    """Let what is still in the stream's buffer go nowhere, or the interpreter fails at its end by writing it again."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
