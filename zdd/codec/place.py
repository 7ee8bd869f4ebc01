"""Where another process finds a class or a function: ``package.module:Name``. It is imported, and nothing else."""

from __future__ import annotations

import importlib
import re
import sys

from zdd.errors import JournalError

_PLACE = re.compile(r"\w+(\.\w+)*:\w+(\.\w+)*")
_ADVICE = "define it at the top level of a module that can be imported"


class Unusable(Exception):
    """Something of a user's can't be written down or brought back; the gate or action it belongs to is replaced."""


def full_name(thing: object) -> str:
    """Return where the thing says it was defined, for a message; it need not be true."""
    return f"{getattr(thing, '__module__', None)}:{getattr(thing, '__qualname__', None) or repr(thing)}"


def place_of(thing: object) -> str:
    """Return ``package.module:Name`` if another process finds this very thing there.

    Raises:
        Unusable: It would not: a lambda, something local to a function, something of the script that was started.
    """
    place = full_name(thing)
    module, _, path = place.partition(":")
    if module == "__main__":
        raise Unusable(f"{path} lives in the script that was started, which is never imported: {_ADVICE}")
    if not _PLACE.fullmatch(place):
        raise Unusable(f"{place} has no name under which another process can import it: {_ADVICE}")
    found: object = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    if found != thing:
        raise Unusable(f"{place} is not what its module has under that name: {_ADVICE}, under its own name")
    return place


def import_place(place: str) -> object:
    """Import what `place_of` named.

    Raises:
        Unusable: It can't be imported, or isn't there any more.
        JournalError: It is no such name.
    """
    if not _PLACE.fullmatch(place):
        raise JournalError(f"{place!r} is no name of the form package.module:Name")
    module, _, path = place.partition(":")
    if module == "__main__":
        raise Unusable(f"{place} lived in a script that was started, which is never imported: {_ADVICE}")
    try:
        found: object = importlib.import_module(module)
    except (Exception, SystemExit) as error:  # a user's module may raise anything, and a script ends itself
        raise Unusable(f"{place} can't be imported: {type(error).__name__}: {error}") from error
    for name in path.split("."):
        found = getattr(found, name, None)
    if found is None:
        raise Unusable(f"module {module} has no {path} any more")
    return found
