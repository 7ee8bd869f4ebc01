"""Under which name another process finds a thing of a user's, and when it would not."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from zdd.codec.place import Unusable, full_name, import_place, place_of
from zdd.errors import JournalError

SOURCE = """
class Gate:
    class Inner: ...
    def look(self): ...

def look(): ...

small = lambda: None
nothing = None
"""


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of a user's, as it would be after its import."""
    made = ModuleType("shop_gates")
    exec(SOURCE, made.__dict__)  # noqa: S102 - what is defined so has that module's name
    monkeypatch.setitem(sys.modules, "shop_gates", made)
    return made


@pytest.mark.parametrize(
    ("thing", "place"),
    [
        (lambda module: module.Gate, "shop_gates:Gate"),
        (lambda module: module.Gate.Inner, "shop_gates:Gate.Inner"),
        (lambda module: module.Gate.look, "shop_gates:Gate.look"),
        (lambda module: module.look, "shop_gates:look"),
        (lambda _: len, "builtins:len"),
    ],
)
def test_what_has_a_name_is_found_under_it(module: ModuleType, thing: Callable[..., object], place: str) -> None:
    assert place_of(thing(module)) == full_name(thing(module)) == place
    assert import_place(place) is thing(module)


def test_what_has_none_or_anothers_is_refused_with_what_to_do(module: ModuleType) -> None:
    def local() -> None: ...

    other = ModuleType("other")
    exec("def look(): ...", other.__dict__)  # noqa: S102 - see above
    other.look.__module__ = "shop_gates"
    gone = module.Gate
    del module.Gate
    for thing in (local, module.small, lambda: None, object(), 7, other.look, gone):
        with pytest.raises(Unusable, match="define it at the top level of a module that can be imported"):
            place_of(thing)


def test_what_lives_in_the_script_that_was_started_is_found_by_nobody_else(module: ModuleType) -> None:
    module.look.__module__ = "__main__"
    with pytest.raises(Unusable, match="look lives in the script that was started, which is never imported"):
        place_of(module.look)
    with pytest.raises(Unusable, match="__main__:look lived in a script that was started"):
        import_place("__main__:look")


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("no_such_module_at_all:Gate", "no_such_module_at_all:Gate can't be imported: ModuleNotFoundError"),
        ("shop_gates:Gone", "module shop_gates has no Gone any more"),
        ("shop_gates:Gate.Gone.More", "module shop_gates has no Gate.Gone.More any more"),
        ("shop_gates:nothing", "module shop_gates has no nothing any more"),
    ],
)
def test_what_is_not_there_any_more_is_named(module: ModuleType, place: str, words: str) -> None:
    with pytest.raises(Unusable, match=words):
        import_place(place)


@pytest.mark.parametrize("raised", ["raise ValueError('no database')", "raise SystemExit(3)"])
def test_a_module_that_fails_or_ends_itself_ends_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, raised: str
) -> None:
    (tmp_path / "shop_broken.py").write_text(raised)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(Unusable, match=r"shop_broken:Gate can't be imported: (ValueError: no database|SystemExit: 3)"):
        import_place("shop_broken:Gate")


@pytest.mark.parametrize("place", ["", "os", "os:", ":system", "os:system()", "os; rm:x", "os:a..b", "../os:x"])
def test_what_is_no_name_is_never_imported(place: str) -> None:
    with pytest.raises(JournalError, match=r"is no name of the form package\.module:Name"):
        import_place(place)
