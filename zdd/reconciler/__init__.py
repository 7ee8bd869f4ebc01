"""The one place that knows the safe order of a deployment, as two pure functions.

`learn` folds what was seen into `Progress`; `reconcile` decides what may be done next. Nothing here does I/O, knows the
time, or uses chance. Read `guards.py` first: it is the safe order, rule by rule.

::

    picture     the present look and the evidence so far, put together
    proposals   what may be proposed, and what each proposal would do
    guards      what is allowed when: the safe order
    commands    what would bring the world nearer to the goals, and what of it the guards allow
    asking      which gates and actions are due
    awaited     what is awaited, in words
    failing     why a stage has failed; crashing: what ends by itself again and again
    reconcile   all of it, into one decision
    learn, progress, orders, moments    from facts to evidence, and from evidence to what is told
    mirror, upkeep                      the registrations that should exist; between deployments, nothing but those
"""
