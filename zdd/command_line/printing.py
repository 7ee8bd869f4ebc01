"""Results on standard output: text for people, or one JSON value for programs."""

from __future__ import annotations

import json
import sys
from typing import Any

from zdd.command_line.vocabulary import in_shell_words


def tell(text: str, data: Any, *, as_json: bool) -> None:
    """Print a result in the form that was asked for."""
    say(json.dumps(data, ensure_ascii=False, sort_keys=False) if as_json else text)


def say(text: str) -> None:
    """Print a line of a result."""
    sys.stdout.write(in_shell_words(text) + "\n")
    sys.stdout.flush()


def note(text: str) -> None:
    """Print a line that is no result."""
    sys.stderr.write(f"zdd: {in_shell_words(text)}\n")
    sys.stderr.flush()
