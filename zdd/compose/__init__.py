"""Compose files as stacks: what ``docker stack deploy`` reads, deployed by a strategy."""

from zdd.compose.reading import read_stack

__all__ = ["read_stack"]
