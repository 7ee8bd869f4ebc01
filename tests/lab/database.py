"""Starts PostgreSQL as the official image does: it makes an empty database where there is none yet.

POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE is the password, POSTGRES_USER and POSTGRES_DB the names of user and
database. The data are in /var/lib/postgresql/data. Where FOLLOWS names another server, they are copied
from there, and it is followed as a replica.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

DATA = Path("/var/lib/postgresql/data")
OWNER = 1000


def password() -> str:
    path = os.environ.get("POSTGRES_PASSWORD_FILE")
    return Path(path).read_text().strip() if path else os.environ["POSTGRES_PASSWORD"]


def create(programs: Path, user: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir="/dev/shm") as file:
        file.write(password())
        file.flush()
        options = ["-U", user, "--pwfile", file.name, "-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"]
        subprocess.run([programs / "initdb", "-D", DATA, *options], check=True, stdout=subprocess.DEVNULL)
    with (DATA / "pg_hba.conf").open("a") as rules:
        rules.write("host all all all scram-sha-256\nhost replication all all scram-sha-256\n")
    name = os.environ.get("POSTGRES_DB", user)
    statement = f'CREATE DATABASE "{name}"\n' if name != "postgres" else ""
    single = [programs / "postgres", "--single", "-D", DATA, "postgres"]
    subprocess.run(single, input=statement, text=True, check=True, stdout=subprocess.DEVNULL)


def follow(programs: Path, user: str, primary: str) -> None:
    environment = {**os.environ, "PGPASSWORD": password()}
    words = ["-h", primary, "-U", user, "-D", DATA, "-R", "-X", "stream", "-c", "fast", "--no-sync"]
    while subprocess.run([programs / "pg_basebackup", *words], env=environment, check=False).returncode:
        time.sleep(0.2)  # it does not answer yet


def main() -> None:
    programs = max(Path("/usr/lib/postgresql").glob("*/bin"))
    DATA.mkdir(parents=True, exist_ok=True)
    os.chown(DATA, OWNER, OWNER)
    os.setgid(OWNER)
    os.setuid(OWNER)
    DATA.chmod(0o700)
    if not (DATA / "PG_VERSION").exists():
        user, primary = os.environ.get("POSTGRES_USER", "postgres"), os.environ.get("FOLLOWS")
        if primary:
            follow(programs, user, primary)
        else:
            create(programs, user)
    settings = {"listen_addresses": "*", "unix_socket_directories": "", "jit": "off", "fsync": "off"}
    words = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    program = str(programs / "postgres")
    os.execv(program, [program, "-D", str(DATA), *words, *sys.argv[1:]])  # noqa: S606 - it takes this one's place


if __name__ == "__main__":
    main()
