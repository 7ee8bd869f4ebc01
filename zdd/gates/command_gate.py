"""A gate that runs a program."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, cast

from attrs import field, frozen

from zdd.errors import ConfigurationError
from zdd.gates.looks import last_look, port_names
from zdd.model.address import Address
from zdd.model.gate import Target, check_pace
from zdd.model.names import check_program, command_words, directory_text, environment_texts, names_only
from zdd.model.verdict import Result, Sample, Verdict

EXIT_INCONCLUSIVE = 75
"""``EX_TEMPFAIL`` of sysexits.h: could not be found out. 1 and 2 mean *failed* to many programs, 75 to none."""

OUTPUT_BYTES_KEPT = 4096
OUTPUT_BYTES_READ = 65536
REASON_CHARACTERS = 200


@frozen
class CommandGate:
    """Runs a program: exit status 0 passes, 75 is inconclusive, any other has failed, and so has a time-out.

    The program gets the deployer's environment, and the target in these variables: ``ZDD_TARGET_SERVICE``,
    ``ZDD_TARGET_VERSION``, ``ZDD_TARGET_REVISION``, ``ZDD_TARGET_INSTANCE`` (empty for a stage's gate),
    ``ZDD_TARGET_ADDRESS_<PORT>`` as ``host:port`` for each port (in capitals, ``_`` for ``-``), ``ZDD_TARGET_ADDRESS``
    for the first of `port_names`, or else the target's first, and ``ZDD_TARGET_INSTANCES``, for a stage's gate, as
    JSON: instance → port → ``host:port``. The last line that it writes is the reason. What it has started is killed
    with it when it ends, and when its time is over. A program that can't be started is inconclusive.

    Attributes:
        command: The program and its arguments; no shell is involved.
        environment: Added to the environment.
        directory: Where it runs; None: where the deployer does.
        port_names: Ports of the service that it looks at, so that an unknown one is refused beforehand.
        timeout_s: Seconds that it may take.
        interval_s: Seconds between two looks.
        deadline_s: Seconds within which it must pass. None: the service's.

    Raises:
        ConfigurationError: The program or the directory isn't there, or a value is illegal.
    """

    command: Sequence[str] = field(converter=command_words)
    environment: Mapping[str, str] = field(factory=dict, kw_only=True, converter=environment_texts, repr=names_only)
    directory: str | None = field(default=None, kw_only=True, converter=directory_text)
    port_names: Sequence[str] = field(default=(), kw_only=True, converter=port_names)
    timeout_s: float = field(default=10.0, kw_only=True)
    interval_s: float = field(default=1.0, kw_only=True)
    deadline_s: float | None = field(default=None, kw_only=True)

    def __attrs_post_init__(self) -> None:
        check_pace(self, timeout_s=self.timeout_s)
        if self.directory is not None and not Path(self.directory).is_dir():
            raise ConfigurationError(f"directory {self.directory} of gate {self} is not there: create it")
        check_program("a gate", self.command, self.directory, self.environment)

    def ports(self) -> frozenset[str]:
        """Return the ports that were given."""
        return frozenset(self.port_names)

    def sample(self, target: Target) -> Sample:
        """Run the program once."""
        environment = {**os.environ, **self.environment, **self._target(target)}
        begun_s = time.monotonic()
        try:
            process = subprocess.Popen(
                self.command,
                cwd=self.directory,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a group of its own, to be killed as a whole
            )
        except (OSError, ValueError) as error:
            return Sample(Result.INCONCLUSIVE, f"{self.command[0]} can't be started: {error}")
        ended, output = _run(process, begun_s + self.timeout_s)
        return self._sample(process.returncode if ended else None, output, time.monotonic() - begun_s)

    def _sample(self, status: int | None, output: bytes, seconds: float) -> Sample:
        line = _last_line(output)
        figures = {"seconds": seconds}
        if status is None:
            text = f"did not end within {self.timeout_s:g} s, and was killed"
            return Sample(Result.FAILED, f"{text}: {line}" if line else text, figures)
        text = f"ended by {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
        result = {0: Result.PASSED, EXIT_INCONCLUSIVE: Result.INCONCLUSIVE}.get(status, Result.FAILED)
        return Sample(result, f"{text}: {line}" if line else text, {**figures, "status": float(status)})

    def _target(self, target: Target) -> dict[str, str]:
        first = next(iter(self.port_names or target.addresses), None)
        instances = {name: _texts(addresses) for name, addresses in target.instances.items()}
        return {
            "ZDD_TARGET_SERVICE": target.service,
            "ZDD_TARGET_VERSION": target.version,
            "ZDD_TARGET_REVISION": target.revision,
            "ZDD_TARGET_INSTANCE": target.instance,
            "ZDD_TARGET_INSTANCES": json.dumps(instances),
            "ZDD_TARGET_ADDRESS": _texts(target.addresses).get(first or "", ""),
            **{
                "ZDD_TARGET_ADDRESS_" + port.upper().replace("-", "_"): text
                for port, text in _texts(target.addresses).items()
            },
        }

    def judge(self, samples: Sequence[Sample]) -> Verdict:
        """Conclude what the last look says."""
        return last_look(samples)

    def __str__(self) -> str:
        return "command " + " ".join(self.command)


def _texts(addresses: Mapping[str, Address]) -> dict[str, str]:
    return {port: str(address) for port, address in addresses.items()}


def _run(process: subprocess.Popen[bytes], until_s: float) -> tuple[bool, bytes]:
    """Wait until it has ended or the time is over, then kill all of its group; return whether it ended by itself."""
    ended = False
    try:
        with cast("IO[bytes]", process.stdout) as output:
            os.set_blocking(output.fileno(), False)
            ended, tail = _follow(process.pid, output, until_s)
    finally:
        if _kill_group(process.pid) or ended:
            process.wait()
    return ended, tail


def _follow(pid: int, output: IO[bytes], until_s: float) -> tuple[bool, bytes]:
    """Read what it writes until it has ended, whoever else still holds its output; keep the end of it."""
    tail, ended = b"", False
    handle = os.pidfd_open(pid)
    try:
        poll = select.poll()
        poll.register(handle, select.POLLIN)
        poll.register(output, select.POLLIN)
        while not ended and time.monotonic() < until_s:
            ready = {found for found, _ in poll.poll(max(0.0, until_s - time.monotonic()) * 1000)}
            ended = handle in ready
            if output.fileno() in ready:
                piece = output.read(OUTPUT_BYTES_READ)
                tail = (tail + (piece or b""))[-OUTPUT_BYTES_KEPT:]
                if piece == b"":
                    poll.unregister(output)
    finally:
        os.close(handle)
    return ended, (tail + (output.read(OUTPUT_BYTES_READ) or b""))[-OUTPUT_BYTES_KEPT:]


def _kill_group(pid: int) -> bool:
    """Kill the program and all that it started. It has not been waited for, so its number still means its group."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except PermissionError:
        return False  # it became another user's, as sudo does, and can't be killed from here
    return True


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").split("\n")
    texts = [" ".join("".join(c if c.isprintable() else " " for c in line).split()) for line in lines]
    last = next((text for text in reversed(texts) if text), "")
    return last if len(last) <= REASON_CHARACTERS else last[:REASON_CHARACTERS] + "…"
