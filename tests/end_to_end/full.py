"""A deploy script on a machine whose disk gets full: ``full.py STATE PORT PLACE KEPT WHAT``.

PLACE is a disk of 1 MB with the data on it, KEPT one of 64 kB. WHAT is full: ``store``, where backups are kept, or
``data``, when they are to be restored. Then there is room again. Prints what happened as JSON.
"""

import json
import os
import sys
from pathlib import Path

from slow_files import LEDGER, ledger_release, ledger_service

import zdd
from zdd.adapters.embedded import Embedded
from zdd.backup import Files

state, port, place, kept, what = sys.argv[1:]
data, filler = Path(place, "data"), Path(place, "filler")
data.mkdir()
orders = os.urandom(400_000)
(data / "ledger").write_bytes(orders)
deployer = zdd.Deployer.embedded(state, port=int(port))
told: dict[str, object] = {}


def look(name: str) -> None:
    cells = Embedded(state, port=int(port)).orchestrator.observe(ledger_service())
    told[name] = {
        "running": [one.revision for cell in cells for one in cell.instances],
        "orders": (data / "ledger").read_bytes() == orders,
        "spoiled": (data / "spoiled").exists(),
        "beside": sorted(path.name for path in Path(place).iterdir() if path.name not in ("data", "filler")),
        "kept": sorted(path.name for path in Path(kept).glob("**/*") if path.is_file()),
    }


try:
    deployer.deploy(ledger_service(), ledger_release("1.0", str(data)))
    spoil = f"echo x > {data}/spoiled; head -c 500000 /dev/zero > {filler}; exec {sys.executable} {LEDGER}"
    spoiled = zdd.Release("2.0", zdd.Process(["sh", "-c", spoil], {"LEDGER": f"{data}/ledger"}), changes_data=True)
    gate = zdd.CommandGate(["test", "!", "-e", str(data / "spoiled")], interval_s=0.1)
    store = kept if what == "store" else str(Path(state).parent / "elsewhere")
    backup = zdd.Backup([Files(data)], store)
    try:
        deployer.deploy(ledger_service(), spoiled, backup + zdd.BlueGreen(gates=[gate], keep_s=5))
    except zdd.DeploymentError as error:
        told["error"] = [type(error).__name__, str(error), error.report.outcome.value, error.next_steps]
    look("full")
    if what == "data":
        filler.unlink()
        told["resumed"] = deployer.resume("web").outcome.value
        look("after")
finally:
    Embedded(state, port=int(port)).stop_everything(1.0)
print(json.dumps(told))
