"""What messages advise, in the words of whoever uses the command line or compose files instead of Python.

The library speaks Python to its callers. What it says passes through here on its way to a shell, and nowhere else.
"""

from __future__ import annotations

import re
from typing import TextIO

_STRATEGIES = {
    "RollingUpdate()": "rolling",
    "BlueGreen()": "blue-green",
    "Recreate()": "recreate",
    "InPlaceUpdate()": "in-place",
}

_ADVICE: tuple[tuple[str, str], ...] = (
    (r"deployer\.(\w+)\('([^']*)'\)", r"`python -m zdd \1 \2`"),
    (r"\bcall fail_back\b", "call `failback`"),
    (r"\bcut_off_confirmed=True", "`--cut-off-confirmed`"),
    (r"\brestore=True", "`--restore yes`"),
    (r"\brestore=False", "`--restore no`"),
    (r"\badopt=True", "`--adopt`"),
    (
        r"\bdeploy with zdd\.Backup\(…\) \+ a strategy, or give using=zdd\.Backup\(…\)",
        "deploy with `--save` and `--backups`",
    ),
    (r"\bport= and host=", "`--listen`"),
    (r"\bport=(?![\w'{])", "`--listen`"),
    (r"\b(use|another|use a) state_directory\b", r"\1 `--state`"),
    (r"\bstate_directory=", "`--state` "),
    (
        r"local processes need a zdd Process\(\.\.\.\), kind 'process'",
        "give a command after --, or name Consul's agent with `--consul` for Docker Swarm",
    ),
    (r"\bgive Deployer\(…, edges_gone=…\) its name,", "say `--edge-gone` with its name,"),
    (r"\bdeploy again with restart\b", "deploy again with `--restart`"),
    (
        r"Service\(stop_grace_s=([\d.e+]+)\)",
        r"`--stop-grace \1`, or `stop_grace_period: \1s` in a compose file",
    ),
    (r"Service\('[^']*', replicas=(\d+)\)", r"`--replicas \1`, or `x-zdd: {replicas: \1}` in a compose file"),
    (r"Service\(…, cells=(\d+)\)", r"`x-zdd: {cells: \1}` in a compose file"),
    (r"\buse replicas=2 or more", "use `--replicas 2`, or `deploy: {replicas: 2}` in a compose file, or more"),
    (r"\buse floor=0", "use `--floor 0`, or `x-zdd: {floor: 0}` in a compose file"),
    (r"\boverlap='forbidden'", "`--strategy recreate`, or `x-zdd: {overlap: forbidden}` in a compose file"),
    (
        r"\bgive Failover\(…, gate=…\)",
        "give `--health PATH`",
    ),
    (r"\(--health-cmd, or", "(`healthcheck:` in a compose file, `--health-cmd` of docker, or"),
    (
        r"--update-monitor (\w+)",
        r"`update_config: {monitor: \1}` in a compose file, or `--update-monitor \1` of docker,",
    ),
    (
        r"--update-order stop-first",
        "`update_config: {order: stop-first}` in a compose file, or `--update-order stop-first` of docker",
    ),
    (
        r"--publish-add mode=host,target=(\d+)",
        r"`ports: [{mode: host, target: \1}]` in a compose file, or `--publish-add mode=host,target=\1` of docker",
    ),
    (r"InPlaceUpdate\(order='stop-first'\)", "the strategy `in-place` with the order `stop-first`"),
)
"""How the library says it, and how it is said here. None of these has a quotation mark or a backslash, so that JSON in
which something was replaced is JSON.
"""

_PATTERNS = tuple((re.compile(pattern), words) for pattern, words in _ADVICE)
_ADVISED = re.compile(rf"\b(use|or) ({'|'.join(map(re.escape, _STRATEGIES))})")


def in_shell_words(text: str) -> str:
    """Return the text with what it advises in the words of the command line and of compose files."""
    for pattern, words in _PATTERNS:
        text = pattern.sub(words, text)
    return _ADVISED.sub(lambda found: f"{found[1]} the strategy `{_STRATEGIES[found[2]]}`", text)


class ShellStream:
    """A stream that says it so."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    @property
    def encoding(self) -> str:
        """The encoding of what it writes to."""
        return self._stream.encoding

    def write(self, text: str) -> int:
        """Write the text, whole lines at a time."""
        return self._stream.write(in_shell_words(text))

    def flush(self) -> None:
        """Flush what it writes to."""
        self._stream.flush()
