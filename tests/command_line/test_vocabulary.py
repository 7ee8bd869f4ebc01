"""What the library advises in Python, said to a shell."""

from __future__ import annotations

import ast
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from zdd.command_line.vocabulary import ShellStream, in_shell_words

ZDD = Path(__file__).parents[2] / "zdd"
_PYTHON = re.compile(
    r"\bdeployer\.\w+\(|\b(use|or|give|say) (zdd\.)?[A-Z]\w+\(|\b(adopt|restore|restart|cut_off_confirmed)=|"
    r"\b(floor|replicas|overlap)=(?!\{)|\b(port|state_directory)=[\s,;]"
)
"""How Python looks that is advised in a message."""

_OF_CALLERS = re.compile(
    r"Deployer\(|StackDeployer|zdd\.(Backup|HttpGate|FunctionAction|FunctionGate|RollingUpdate|Release|Failover|Soak)|"
    r"ContentStore|Container\(|NodePorts\(|lease_s=|format=|zdd-"
)
"""What only who calls the library can come to read, since the command line makes these parts itself."""

SAID = [
    ("use Service(stop_grace_s=30), if", "use `--stop-grace 30`, or `stop_grace_period: 30s` in a compose file, if"),
    ("deployer.resume('web') goes on, or deployer.rollback('web') goes back",
     "`python -m zdd resume web` goes on, or `python -m zdd rollback web` goes back"),
    ("use BlueGreen() or RollingUpdate()", "use the strategy `blue-green` or the strategy `rolling`"),
    ("say restore=True to", "say `--restore yes` to"),
    ("use the same port= and host=, or", "use the same `--listen`, or"),
    ("for the proxy with port=, or stop that", "for the proxy with `--listen`, or stop that"),
    ("can't be made: use another state_directory", "can't be made: use another `--state`"),
    ("1 → 2 by RollingUpdate(), 3 stages", "1 → 2 by RollingUpdate(), 3 stages"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "said"), SAID)
def test_it_is_said_in_the_words_of_the_shell(text: str, said: str) -> None:
    assert in_shell_words(text) == said


def test_what_was_json_is_json() -> None:
    data = {"strategy": "RollingUpdate()", "message": "use Service('web', replicas=3); deployer.remove('web')"}
    said = json.loads(in_shell_words(json.dumps(data)))
    assert said["strategy"] == "RollingUpdate()"
    assert "`--replicas 3`" in said["message"]
    stream = io.StringIO()
    ShellStream(stream).write("waiting for deployer.resume('web')\n")
    assert stream.getvalue() == "waiting for `python -m zdd resume web`\n"


def messages() -> Iterator[tuple[str, str]]:
    """Return file and text of what is raised or found anywhere, with an example in each gap."""
    for path in sorted(ZDD.rglob("*.py")):
        if path.relative_to(ZDD).parts[0] in ("simulation", "testing", "command_line"):
            continue
        tree = ast.parse(path.read_text())
        inside = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        prose = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in inside | prose:
                continue
            if isinstance(node, ast.JoinedStr):
                yield path.name, "".join(map(_shown, node.values))
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield path.name, node.value


def _shown(part: ast.expr) -> str:
    if isinstance(part, ast.Constant):
        return str(part.value)
    quoted = isinstance(part, ast.FormattedValue) and part.conversion == ord("r")
    return "'web'" if quoted else "2"


def test_no_message_that_reaches_a_shell_advises_python() -> None:
    left = {(name, text) for name, said in messages() if _PYTHON.search(text := in_shell_words(said))}
    assert {(name, text) for name, text in left if not _OF_CALLERS.search(text)} == set()
