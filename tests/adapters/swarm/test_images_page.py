"""The blocks of the page about images that need a swarm are run on one."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PAGE = Path(__file__).parents[3] / "docs" / "images.md"


def test_the_page_s_blocks_work(swarm: Any, tmp_path: Path) -> None:
    blocks = re.findall(r"^```text\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    program = "\n".join(blocks).replace("registry.example.org", swarm.facts.registry)
    ast.parse(program)
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "Dockerfile").write_text(f"FROM {swarm.image}\nARG COLOUR\nENV COLOUR=$COLOUR\n")
    (tmp_path / "token").write_text("hush")
    program += "\nfrom zdd.model.action import ActionContext\n"
    program += "print(PullEverywhere(pushed).run(ActionContext('web', 'web-1', '', '1')))\n"
    program += "images.close(); store.close()\n"
    environment = {**os.environ, "DOCKER_HOST": swarm.engine, "GIT_CEILING_DIRECTORIES": str(tmp_path.parent)}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert f"1 nodes have {swarm.facts.registry}/shop/web:content-" in done.stdout
    assert "hush" not in done.stdout + done.stderr
    for image in swarm.api.images(name=f"{swarm.facts.registry}/shop/web"):
        swarm.api.remove_image(image["Id"], force=True)
