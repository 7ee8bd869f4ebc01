"""Traefik as the edge and the discovery of a single machine: fed by its file provider, asked through its own API."""
