"""What is left of a program whose supervisor is dead."""

from __future__ import annotations

import subprocess

from zdd.adapters.local.strays import end_strays, find_strays


def test_only_what_came_of_that_very_directory_is_found_and_ended(tmp_path, wait_until):
    def run(directory: str) -> subprocess.Popen:
        return subprocess.Popen(["/bin/sleep", "600"], env={"ZDD_SUPERVISED_IN": directory})

    mine, neighbour = run(f"{tmp_path}/web.1"), run(f"{tmp_path}/web.10")
    try:
        # The kernel shows no environment for a moment after a program has begun.
        wait_until(lambda: find_strays(tmp_path / "web.1") == [mine.pid])
        end_strays(tmp_path / "web.1")
        assert mine.wait(10) == -9
        assert neighbour.poll() is None
        assert find_strays(tmp_path / "web.1") == []
    finally:
        for process in (mine, neighbour):
            process.kill()
            process.wait()
