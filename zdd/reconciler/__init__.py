"""The one place that knows the safe order of a deployment, as two pure functions.

`learn` folds what was seen into `Progress`; `reconcile` decides what may be done next. Nothing here does I/O, knows the
time, or uses chance. Read `guards.py` first: it is the safe order, rule by rule.
"""
