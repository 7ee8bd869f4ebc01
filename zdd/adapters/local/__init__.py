"""Replicas as local processes: a real orchestrator for one machine, with nothing to install."""
