"""A certificate authority of a test, its server's and its client's certificates: files in PEM, made by the system's openssl."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Identity:
    """A private key (PKCS 8), its certificate, and both in one file."""

    key: Path
    certificate: Path
    both: Path


class Authority:
    """Signs for 127.0.0.1. Skips the test where there is no openssl."""

    def __init__(self, folder: Path) -> None:
        if shutil.which("openssl") is None:
            pytest.skip("openssl was not found: apt-get install openssl")
        self.folder, self.certificate = folder, folder / "ca.pem"
        self._key = folder / "ca.key"
        self._run(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            self._key,
            "-out",
            self.certificate,
            "-days",
            2,
            "-subj",
            "/CN=test CA",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        )

    def identity(self, name: str) -> Identity:
        made = Identity(self.folder / f"{name}.key", self.folder / f"{name}.pem", self.folder / f"{name}.both.pem")
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\nauthorityKeyIdentifier=keyid\nsubjectKeyIdentifier=hash\n")
        self._run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", made.key, "-out", request, "-subj", f"/CN={name}")
        self._run(
            "x509",
            "-req",
            "-in",
            request,
            "-CA",
            self.certificate,
            "-CAkey",
            self._key,
            "-out",
            made.certificate,
            "-days",
            2,
            "-extfile",
            extensions,
            "-set_serial",
            abs(hash(name)) % 1_000_000 + 1,
        )
        made.both.write_text(made.key.read_text() + made.certificate.read_text())
        return made

    @staticmethod
    def _run(*words: object) -> None:
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True)
