"""The lab's images, made of the distribution's packages: one with Python and a shell, one with PostgreSQL besides."""

from __future__ import annotations

import io
import os
import shutil
import tarfile
from collections.abc import Sequence
from fnmatch import fnmatch
from pathlib import Path

from packages import cache_directory, unpacked

PACKAGES = ("python3-minimal", "libpython3-stdlib", "busybox-static")
TOOLS = ("sh", "wget", "sleep", "cat", "ls", "env", "id", "mount", "ulimit")
DATABASE_PACKAGES = (*PACKAGES, "postgresql", "python3-psycopg2")
FORMAT = 1
USELESS = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/lib/*/gconv")
NOT_FOR_A_DATABASE = (
    *("usr/share/perl*", "usr/lib/*/perl*", "usr/share/i18n", "usr/share/zoneinfo/right", "usr/share/info"),
    *("usr/lib/*/libLLVM*", "usr/lib/*/libz3*", "usr/lib/postgresql/*/lib/bitcode", "usr/lib/*/libperl*"),
)
"""What PostgreSQL's package brings for compiling queries, which is off, and what is there for people."""


def image_archive() -> Path:
    """Return the root file system of the image as a tar archive; made once, then kept."""
    return _archive(f"image-{FORMAT}", PACKAGES, USELESS)


def database_archive() -> Path:
    """Return the same with PostgreSQL and its driver for Python."""
    return _archive(f"database-{FORMAT}", DATABASE_PACKAGES, USELESS + NOT_FOR_A_DATABASE)


def _archive(name: str, packages: Sequence[str], useless: Sequence[str]) -> Path:
    archive = cache_directory() / f"{name}.tar"
    if archive.exists():
        return archive
    root = unpacked(f"{name}-root", packages, whole=True)
    half = archive.with_suffix(f".half-{os.getpid()}")

    def wanted(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
        return None if any(fnmatch(entry.name, f"./{pattern}") for pattern in useless) else entry

    try:
        with tarfile.open(half, "w") as tar:
            tar.add(root, ".", filter=wanted)
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


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o755
    tar.addfile(entry, io.BytesIO(content))


def application_layer() -> bytes:
    """Return what is put on top of the base image: the application and the instructions to build it."""
    return _layer("application.py", "FROM zdd-lab/base", 'ENTRYPOINT ["/usr/bin/python3", "-S", "/application.py"]')


def database_layer() -> bytes:
    """Return what is put on top of the base image of the database: what starts it as the official image does."""
    return _layer("database.py", "FROM zdd-lab/database-base", 'ENTRYPOINT ["/usr/bin/python3", "/database.py"]')


def _layer(program: str, base: str, *last: str) -> bytes:
    lines = [base, f"COPY {program} /{program}", "ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1", *last]
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        _add(tar, "Dockerfile", "\n".join(lines).encode())
        _add(tar, program, Path(__file__).with_name(program).read_bytes())
    return content.getvalue()
