"""Certificates made on the spot, by the openssl program."""

from __future__ import annotations

from pathlib import Path

from attrs import frozen
from packages import run


@frozen
class Authority:
    """Somebody who signs certificates.

    Attributes:
        directory: Where its own certificate and key are.
    """

    directory: Path

    @property
    def certificate(self) -> Path:
        """What proves its signatures."""
        return self.directory / "ca.pem"

    def issue(self, directory: Path, name: str, *, names: str = "", days: int = 2) -> Path:
        """Write ``ca.pem``, ``cert.pem`` and ``key.pem`` into a folder, and return it.

        Args:
            directory: The folder.
            name: Whose certificate it is.
            names: At which addresses it is valid, as openssl's ``subjectAltName``, for a server.
            days: For how long it is valid. Negative: it has expired.
        """
        directory.mkdir(parents=True, exist_ok=True)
        key, request, made = directory / "key.pem", directory / "request.pem", directory / "cert.pem"
        run("openssl", "req", "-new", *_KEY, "-keyout", str(key), "-subj", f"/CN={name}", "-out", str(request))
        usage = "serverAuth" if names else "clientAuth"
        extensions = directory / "extensions"
        extensions.write_text(f"extendedKeyUsage={usage}\n" + (f"subjectAltName={names}\n" if names else ""))
        signed = ["-CA", str(self.certificate), "-CAkey", str(self.directory / "ca-key.pem"), "-CAcreateserial"]
        signed += ["-days", str(days), "-extfile", str(extensions)]
        run("openssl", "x509", "-req", "-in", str(request), *signed, "-out", str(made))
        (directory / "ca.pem").write_bytes(self.certificate.read_bytes())
        return directory


_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")


def make_authority(directory: Path) -> Authority:
    """Make one."""
    directory.mkdir(parents=True)
    files = ["-keyout", str(directory / "ca-key.pem"), "-out", str(directory / "ca.pem")]
    run("openssl", "req", "-x509", *_KEY, "-subj", "/CN=zdd-lab", "-days", "2", *files)
    return Authority(directory)
