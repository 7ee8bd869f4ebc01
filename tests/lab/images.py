"""The lab's image: Python and a shell from the distribution's packages, and a small HTTP server to deploy."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from pathlib import Path

from packages import cache_directory, unpacked

PACKAGES = ("python3-minimal", "libpython3-stdlib", "busybox-static")
TOOLS = ("sh", "wget", "sleep", "cat", "ls", "env", "id", "mount", "ulimit")
FORMAT = 1


def image_archive() -> Path:
    """Return the root file system of the image as a tar archive; made once, then kept."""
    archive = cache_directory() / f"image-{FORMAT}.tar"
    if archive.exists():
        return archive
    root = unpacked("image-root", PACKAGES, whole=True)
    half = archive.with_suffix(f".half-{os.getpid()}")
    try:
        with tarfile.open(half, "w") as tar:
            tar.add(root, ".", filter=_wanted)
            for tool in TOOLS:
                link = tarfile.TarInfo(f"./bin/{tool}")
                link.type, link.linkname = tarfile.SYMTYPE, "busybox"
                tar.addfile(link)
            _add(tar, "./etc/passwd", b"root:x:0:0:root:/:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\n")
            _add(tar, "./etc/group", b"root:x:0:\napp:x:1000:\n")
        half.rename(archive)
    finally:
        half.unlink(missing_ok=True)
    shutil.rmtree(root)
    return archive


def _wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    useless = ("./usr/share/doc", "./usr/share/man", "./usr/share/locale", "./usr/lib/x86_64-linux-gnu/gconv")
    return None if entry.name.startswith(useless) else entry


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    tar.addfile(entry, io.BytesIO(content))


def application_layer() -> bytes:
    """Return what is put on top of the base image: the application and the instructions to build it."""
    source = Path(__file__).with_name("application.py").read_bytes()
    lines = ["FROM zdd-lab/base", "COPY application.py /application.py"]
    lines += ["ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1"]
    lines += ['ENTRYPOINT ["/usr/bin/python3", "-S", "/application.py"]']
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        _add(tar, "Dockerfile", "\n".join(lines).encode())
        _add(tar, "application.py", source)
    return content.getvalue()
