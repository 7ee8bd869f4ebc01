"""Stacks: services that belong together, deployed with one verdict.

`deployer` stands above `zdd.deployer`; the others are below the adapters and compose files, which make use of them. So
this imports nothing.
"""
