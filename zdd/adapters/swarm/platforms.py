"""Whether any node can run an image: its processor and its system."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from zdd.adapters.swarm.specification import PinnedImage
from zdd.errors import ConfigurationError

Json = dict[str, Any]

_SAME = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "arm", "armv6l": "arm", "i386": "386", "i686": "386"}


def check_platforms(image: PinnedImage, nodes: Iterable[Json]) -> None:
    """Look whether there is a node for the image, as far as both say what they are.

    Raises:
        ConfigurationError: There is none: Swarm would wait for one for ever.
    """
    offered = {_platform(one) for one in image.platforms}
    there = {_platform(node["Description"].get("Platform") or {}) for node in nodes}
    if offered and there and "" not in there and offered.isdisjoint(there):
        raise ConfigurationError(
            f"image {image.name} is for {', '.join(sorted(offered))}, and the nodes are {', '.join(sorted(there))}: "
            "build it for them too"
        )


def _platform(described: Any) -> str:
    processor, system = str(described.get("Architecture") or ""), str(described.get("OS") or "")
    return f"{system}/{_SAME.get(processor, processor)}" if processor and system else ""
