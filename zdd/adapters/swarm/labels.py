"""The labels by which zdd knows what is its own."""

SERVICE = "zdd.service"
"""On a Swarm service or a config: the zdd service that it belongs to."""

CELL = "zdd.cell"
"""On a Swarm service: the cell's name."""

TOKEN = "zdd.token"  # noqa: S105 - a number, no secret
"""On a Swarm service: the token of the fence with which it was last written. On a config: the token accepted."""

RETIRED = "zdd.retired"
"""On a Swarm service: its tasks are to stop, and then it is to go. It never comes back to life."""

FENCE = "zdd.fence"
"""On a config that keeps the token accepted for a service: the service's name."""

REVISION = "zdd.revision"
"""On a container, its Swarm service and a config that keeps a revision: the revision's id."""

DIGEST = "zdd.digest"
"""On a container: the digest of the program that it runs, which tells whether somebody put another one there."""

CHANGED = "zdd.changed"
"""On a Swarm service: what somebody else had changed before the last claim, until zdd writes the service anew."""

REPLICAS = "zdd.replicas"
"""On a Swarm service: how many tasks zdd asked for last."""

PORT = "zdd.port."
"""On a container, with the port's name: the port on which it listens."""

CONTENT = "zdd.content"
"""On a secret or a config whose content a release refers to: what its service calls it."""

SALT = "zdd.salt"
"""On such a secret: what its value was hashed with for its name."""

PULL = "zdd.pull"
"""On a Swarm service that lets every node pull an image: the image."""

IN_PLACE = "zdd.in-place"
"""On a Swarm service that is updated in place: the number of the step, and the user's own update settings."""
