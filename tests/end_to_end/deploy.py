"""A deploy script, as a user has it: ``deploy.py STATE PORT VERSION STRATEGY [HEALTHY]``. Prints each event's name."""

import sys
from pathlib import Path

import zdd

state, port, version, strategy, *rest = sys.argv[1:]
application = Path(__file__).with_name("application.py")
service = zdd.Service(
    "web", replicas=2, gates=[zdd.HttpGate("/health")], drain_deadline_s=5, start_deadline_s=40, stop_grace_s=2
)
environment = {"HEALTHY": rest[0]} if rest else {}
release = zdd.Release(version, zdd.Process([sys.executable, str(application)], environment))
deployer = zdd.Deployer.embedded(
    state, port=int(port), listeners=[lambda event: print(type(event).__name__, flush=True)]
)
try:
    report = deployer.deploy(service, release, getattr(zdd, strategy)())
except zdd.ZddError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(report.summary)
