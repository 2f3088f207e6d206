"""A certificate authority of the installation's own, for where the operator has no other, and what it signs.

Its key is root's alone, like the secrets; its certificate is what clients are told to trust (clouds.yaml's `cacert`).
"""

from __future__ import annotations

import ipaddress
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

FOLDER = Path("/etc/syros/tls")
_OWN_LIFE = timedelta(days=3650)
#: clients of Apple's refuse certificates for longer
_LIFE = timedelta(days=825)
#: for clocks that are behind
_EARLIER = timedelta(hours=1)
_COMMON_NAME_LENGTH = 64


@dataclass(frozen=True)
class Authority:
    """Its certificate and key in a folder, `ca.pem` and `ca.key`."""

    folder: Path = FOLDER

    @property
    def certificate(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def _key(self) -> Path:
        return self.folder / "ca.key"

    def ensure(self, *, now: datetime) -> None:
        """Make it, unless it is there; raises OSError, and ValueError if only one of its two files is."""
        there = [file for file in (self.certificate, self._key) if file.exists()]
        if len(there) == 2:
            return
        if there:
            missing = self._key if there[0] == self.certificate else self.certificate
            raise ValueError(f"{there[0]} is there without {missing}: have that back, or remove this one, too")
        self.folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Syros")])
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        certificate = (
            _builder(name, name, key, key.public_key(), now=now, life=_OWN_LIFE)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(key, hashes.SHA256())
        )
        _write(self._key, _private(key), mode=0o600)
        _write(self.certificate, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)

    def issue(self, cert: Path, key_file: Path, *, names: Sequence[str], group: str, now: datetime) -> None:
        """Sign a server's certificate; its key can be read by root and, where there is such a group, by that.

        `names` are host names and addresses; the first is its subject's, too. Raises OSError, and ValueError for a name
        that no certificate can have.
        """
        self.ensure(now=now)
        own = x509.load_pem_x509_certificate(self.certificate.read_bytes())
        signer = serialization.load_pem_private_key(self._key.read_bytes(), password=None)
        if not isinstance(signer, ec.EllipticCurvePrivateKey) or signer.public_key() != own.public_key():
            raise ValueError(f"{self._key} is not the key of {self.certificate}")
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:_COMMON_NAME_LENGTH])])
        usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
        certificate = (
            _builder(subject, own.subject, signer, key.public_key(), now=now, life=_LIFE)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName([_alternative(name) for name in names]), critical=False)
            .sign(signer, hashes.SHA256())
        )
        for file in (cert, key_file):
            file.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _write(key_file, _private(key), mode=0o600)
        _give(key_file, group)
        _write(cert, certificate.public_bytes(serialization.Encoding.PEM), mode=0o644)

    def has_signed(self, cert: Path) -> bool:
        """Tell whether a certificate is one of its own."""
        try:
            own = x509.load_pem_x509_certificate(self.certificate.read_bytes())
            x509.load_pem_x509_certificate(cert.read_bytes()).verify_directly_issued_by(own)
        except (OSError, ValueError, TypeError, InvalidSignature):
            return False
        return True


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePublicKey,
    *,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _write(path: Path, content: bytes, *, mode: int) -> None:
    """Write a file that is not there yet; raises FileExistsError."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    path.chmod(mode)


def _give(path: Path, group: str) -> None:
    try:
        shutil.chown(path, group=group)
    except LookupError:
        # the role's package is not here, or it runs as root
        return
    path.chmod(0o640)
