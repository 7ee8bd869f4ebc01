"""A deploy script: backs the ledger up, then deploys a release that spoils it. Prints events and what is awaited.

    spoil.py STATE PORT DATA KEPT SLOW WARM

Saving and loading take SLOW seconds, so that there is time to kill it; the old release is kept for WARM seconds.
"""

import sys

from slow_files import SlowFiles, ledger_release, ledger_service

import zdd

state, port, data, kept, slow, warm = sys.argv[1:]


def tell(event: zdd.Event) -> None:
    print(type(event).__name__, *getattr(event, "reasons", ()), flush=True)


deployer = zdd.Deployer.embedded(state, port=int(port), listeners=[tell])
backup = zdd.Backup([SlowFiles(data, seconds=float(slow))], kept)
gate = zdd.CommandGate(["sh", "-c", "! grep -q 'another format' \"$0\"/ledger", data], interval_s=0.2)
strategy = backup + zdd.BlueGreen(keep_s=float(warm), gates=[gate])
try:
    report = deployer.deploy(ledger_service(), ledger_release("2.0", data, spoils=True), strategy)
except zdd.ZddError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(report.summary)
