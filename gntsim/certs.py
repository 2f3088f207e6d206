"""A certificate authority and a server certificate of the simulator's own, for the loopback."""

import datetime
import ipaddress
import pathlib

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

VALID = datetime.timedelta(days=3650)


def ensure(cert_file: pathlib.Path, ca_file: pathlib.Path, *, host: str, now: datetime.datetime) -> None:
    """Make a self-signed certificate for localhost once; `ca_file` is what a client verifies it against."""
    if cert_file.exists() and ca_file.exists():
        return
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gntsim")])
    addresses = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address("::1")}
    names: set[str] = {"localhost"}
    try:
        addresses.add(ipaddress.ip_address(host))
    except ValueError:
        names.add(host)
    alternatives: list[x509.GeneralName] = [x509.DNSName(each) for each in sorted(names)]
    alternatives += [x509.IPAddress(each) for each in sorted(addresses, key=str)]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    cert_file.touch(mode=0o600)
    cert_file.write_bytes(private + public)
    ca_file.write_bytes(public)
