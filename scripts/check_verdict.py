"""Check the verdict that the demo prints as its last line: read from standard input."""
# ruff: noqa: INP001 - a script, not a package

import json
import sys


def main() -> None:
    """Say what the verdict is; exit with 1 if it is not a good one."""
    line = sys.stdin.readline()
    try:
        verdict = json.loads(line)
    except ValueError:
        sys.exit(f"the demo's last line is not JSON: {line!r}")
    lost = {name: verdict[name] for name in ("failed", "dropped_websockets")}
    if any(lost.values()) or not verdict["requests"] or not verdict["deployments"]:
        sys.exit(f"the demo did not hold its promise: {line}")
    print(f"The demo: {verdict['requests']} requests, {len(verdict['deployments'])} deployments, {lost}")  # noqa: T201


if __name__ == "__main__":
    main()
