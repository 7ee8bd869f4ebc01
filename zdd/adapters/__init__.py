"""Adapters to the outside world, one folder a technology. Each imports its own third party, when it is imported."""
