"""A watch, as a user has it: ``watch.py STATE PORT``. Prints a line when it begins, and each event's name."""

import sys
from pathlib import Path

import zdd

state, port = sys.argv[1:]
application = Path(__file__).with_name("application.py")
standby = zdd.Release("standby", zdd.Process([sys.executable, str(application)]))
deployer = zdd.Deployer.embedded(
    state, port=int(port), listeners=[lambda event: print(type(event).__name__, flush=True)]
)
print("watching", flush=True)
report = deployer.watch("web", zdd.Failover(standby, failures=3, interval_s=0.2), for_s=60)
print(report.summary if report is not None else "nothing happened")
