"""Consul: discovery by the services of its agents, lease by its sessions, journal in its key-value store."""
