"""Strategies: what should happen, as data. When it is safe, the reconciler alone knows.

A strategy is a frozen attrs class in a file of its own; `zdd.strategies.situation.Strategy` is all it has to be.
"""
