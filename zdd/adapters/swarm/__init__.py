"""Replicas as tasks of Docker Swarm: a cell is a Swarm service.

::

    from zdd.adapters.swarm.container import Container
    from zdd.adapters.swarm.orchestrator import SwarmOrchestrator

    orchestrator = SwarmOrchestrator("unix:///run/docker.sock")
    workload = Container("registry.example.org/web:2", ports={"http": 8080})
"""
