"""What `import zdd` gives, and what it loads."""

from __future__ import annotations

import json
import subprocess
import sys
import types

import zdd

LATE = {"Swarm"}
"""Names that are loaded when they are first used: they need a third party."""

LOADED = """
import json, sys
before = set(sys.modules)
import zdd
names = {name.partition(".")[0] for name in set(sys.modules) - before}
print(json.dumps(sorted(names - set(sys.stdlib_module_names) - {"zdd"})))
"""


def test_the_list_of_names_is_sorted_and_has_no_name_twice() -> None:
    assert sorted(set(zdd.__all__)) == zdd.__all__


def test_every_public_name_is_in_the_list_and_every_name_of_the_list_is_there() -> None:
    modules = {name for name, value in vars(zdd).items() if isinstance(value, types.ModuleType)}
    public = {name for name in vars(zdd) if not name.startswith("_")} - modules
    assert {*public, "__version__", *LATE} == set(zdd.__all__)


def test_every_public_name_is_described() -> None:
    assert [name for name in zdd.__all__ if name != "__version__" and not getattr(zdd, name).__doc__] == []


def test_importing_it_loads_no_third_party_but_attrs() -> None:
    done = subprocess.run([sys.executable, "-I", "-c", LOADED], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == ["attr", "attrs"]


def test_importing_it_loads_no_adapter() -> None:
    code = "import sys, zdd; print([name for name in sys.modules if name.startswith('zdd.adapters')])"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_importing_it_does_not_ask_for_the_distribution() -> None:
    """It would fail where the sources are used without being installed."""
    code = "import sys; before = set(sys.modules); import zdd; print('importlib.metadata' in set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_version_is_that_of_the_distribution() -> None:
    assert zdd.__version__[0].isdigit()
