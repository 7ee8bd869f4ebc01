"""A gate of the demo's own: a release may answer only so many errors, by its instances' own count.

It is an ordinary function of the gate's target. A stage's gate is shown every instance of the rising version, so it
judges the new version alone, however small its share of the traffic is.
"""

from __future__ import annotations

import json
import urllib.request

from zdd import FunctionGate, Result, Sample, Target

REQUESTS_MIN = 20
SHARE_MAX = 0.02
TIMEOUT_S = 1.0


def look(target: Target) -> Sample:
    """Ask every instance of the rising version what it has answered so far."""
    requests = errors = 0
    for addresses in target.instances.values():
        with urllib.request.urlopen(f"http://{addresses['http']}/statistics", timeout=TIMEOUT_S) as answer:
            statistics = json.load(answer)
        requests += statistics["requests"]
        errors += statistics["errors"]
    figures = {"requests": float(requests), "errors": float(errors)}
    if requests < REQUESTS_MIN:
        return Sample(Result.INCONCLUSIVE, f"{requests} requests so far, {REQUESTS_MIN} are needed to judge", figures)
    share = errors / requests
    words = f"{errors} errors in {requests} requests to {target.version}, {share:.1%}"
    if share > SHARE_MAX:
        return Sample(Result.FAILED, f"{words}; at most {SHARE_MAX:.0%} are allowed", figures)
    return Sample(Result.PASSED, words, figures)


def few_errors() -> FunctionGate:
    """Return the gate."""
    return FunctionGate(look, f"at most {SHARE_MAX:.0%} errors", port_names=("http",), interval_s=0.25)
