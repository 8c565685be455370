"""A certificate authority of a run's own, and a server's certificate from it, made with openssl."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

AUTHORITY, CERTIFICATE, KEY = "ca.pem", "cert.pem", "key.pem"
HOST = "127.0.0.1"
_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


class CertificateError(Exception):
    """openssl is missing, or did not do it."""


def make_certificate(folder: Path) -> None:
    """Write the files named above to `folder`: P-256, valid for two days, for 127.0.0.1.

    Raises CertificateError.
    """
    openssl = shutil.which("openssl")
    if openssl is None:
        raise CertificateError("needs the command openssl (Debian: apt install openssl)")
    _run(
        openssl, folder, "req", "-x509", *_NEW_KEY, "-keyout", "ca.key", "-out", AUTHORITY,
        "-subj", "/CN=korad bench authority", "-days", "2",
    )  # fmt: skip
    _run(
        openssl, folder, "req", *_NEW_KEY, "-keyout", KEY, "-out", "request.pem",
        "-subj", f"/CN={HOST}",
    )  # fmt: skip
    (folder / "names").write_text(f"subjectAltName=IP:{HOST}\n", encoding="ascii")
    _run(
        openssl, folder, "x509", "-req", "-in", "request.pem", "-CA", AUTHORITY,
        "-CAkey", "ca.key", "-CAcreateserial", "-out", CERTIFICATE, "-extfile", "names",
        "-days", "2",
    )  # fmt: skip


def _run(openssl: str, folder: Path, *words: str) -> None:
    done = subprocess.run(  # noqa: S603 - fixed commands
        [openssl, *words], cwd=folder, capture_output=True, check=False
    )
    if done.returncode:
        raise CertificateError(f"openssl failed: {done.stderr.decode(errors='replace').strip()}")
