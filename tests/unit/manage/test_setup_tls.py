"""Certificates that `syros-manage setup` makes: in the host's name, trusted by clouds.yaml, and never overwritten."""

import ssl
import stat
from pathlib import Path

import pytest
from cryptography import x509

from common import clock
from manage.authority import Authority
from tests.unit.manage.conftest import Answer, Operator

BROKER = "amqp://syros:hush@broker.example/syros"


class Installation:
    def __init__(self, operator: Operator, folder: Path) -> None:
        self.operator = operator
        self.folder = folder
        (folder / "url").write_text(operator.environ["SYROS_DATABASE_URL"])
        (folder / "bus").write_text(BROKER)
        operator.environ["SYROS_BUS_URL"] = BROKER

    def name(self, section: str, cert: str, key: str) -> tuple[Path, Path]:
        """Have the configuration name a certificate and its key."""
        files = self.folder / "tls" / f"{section}.pem", self.folder / "tls" / f"{section}.key"
        for option, file in zip((cert, key), files, strict=True):
            self.operator.environ[f"SYROS_{section.upper()}_{option.upper()}"] = str(file)
        return files

    def setup(self, *more: str, code: int = 0) -> Answer:
        told = ["--database-url-file", str(self.folder / "url"), "--bus-url-file", str(self.folder / "bus")]
        where = ["--secrets", str(self.folder / "secrets"), "--tls", str(self.folder / "tls")]
        clouds = ["--clouds", str(self.folder / "clouds.yaml")]
        return self.operator.run("--format", "json", "setup", *where, *told, *clouds, *more, code=code)

    @property
    def clouds(self) -> str:
        return (self.folder / "clouds.yaml").read_text()


@pytest.fixture
def installation(operator: Operator, tmp_path: Path) -> Installation:
    return Installation(operator, tmp_path)


def names(cert: Path) -> set[str]:
    found = x509.load_pem_x509_certificate(cert.read_bytes())
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {
        *alternatives.get_values_for_type(x509.DNSName),
        *map(str, alternatives.get_values_for_type(x509.IPAddress)),
    }


def test_without_a_certificate_named_the_api_is_reached_on_loopback_without_tls(installation: Installation) -> None:
    installation.setup()
    assert 'auth_url: "http://127.0.0.1:8774/identity/v3"' in installation.clouds
    assert "cacert" not in installation.clouds
    assert not (installation.folder / "tls").exists()


def test_a_certificate_that_is_named_is_made_for_the_host_and_clouds_yaml_trusts_it(installation: Installation) -> None:
    cert, key = installation.name("api", "cert", "key")
    installation.operator.environ["SYROS_API_HOST"] = "0.0.0.0"
    installation.setup()
    assert names(cert) == {"cloud.example", "localhost", "127.0.0.1", "::1"}
    assert stat.S_IMODE(key.stat().st_mode) & 0o037 == 0
    assert stat.S_IMODE((cert.parent / "ca.key").stat().st_mode) == 0o600
    assert 'auth_url: "https://cloud.example:8774/identity/v3"' in installation.clouds
    assert f'cacert: "{cert.parent}/ca.pem"' in installation.clouds


def test_the_name_may_be_told(installation: Installation) -> None:
    cert, _ = installation.name("api", "cert", "key")
    installation.setup("--name", "api.example.org")
    assert "api.example.org" in names(cert)
    assert 'auth_url: "https://api.example.org:8774/identity/v3"' in installation.clouds


def test_what_is_there_is_never_overwritten(installation: Installation) -> None:
    cert, key = installation.name("api", "cert", "key")
    installation.setup()
    before = (cert.read_bytes(), key.read_bytes(), (cert.parent / "ca.pem").read_bytes())
    again = installation.setup("--name", "other.example")
    assert {row["state"] for row in again.json} == {"ok"}
    assert (cert.read_bytes(), key.read_bytes(), (cert.parent / "ca.pem").read_bytes()) == before


def test_a_certificate_of_the_operator_s_needs_no_cacert(installation: Installation, tmp_path: Path) -> None:
    cert, key = installation.name("api", "cert", "key")
    Authority(tmp_path / "another").issue(cert, key, names=("x.example",), group="nobody-here", now=clock.now())
    installation.setup()
    assert "cacert" not in installation.clouds
    assert "https://" in installation.clouds


def test_one_of_the_two_files_alone_is_refused(installation: Installation) -> None:
    cert, key = installation.name("api", "cert", "key")
    cert.parent.mkdir()
    key.write_text("mine")
    answer = installation.setup(code=1)
    assert answer.json[-1] == {
        "step": "tls",
        "state": "trouble",
        "detail": f"{key} is there without {cert}",
        "remedy": "put the other there, or remove this one",
    }
    assert key.read_text() == "mine"


def test_a_key_that_everybody_can_read_is_told_and_closed(installation: Installation) -> None:
    _, key = installation.name("api", "cert", "key")
    installation.setup()
    key.chmod(0o644)
    rows = {row["step"]: row for row in installation.setup("--check", code=1).json}
    assert rows["tls"]["detail"] == f"everybody can read {key}"
    installation.setup()
    assert stat.S_IMODE(key.stat().st_mode) == 0o640
    installation.setup("--check")


def test_a_browser_s_side_of_the_console_proxy_gets_one_too(installation: Installation) -> None:
    web, _ = installation.name("vncauthproxy", "web_cert", "web_key")
    environ = {
        "TOKEN": "shown", "PLAIN_CONTROL": "yes", "DESTINATIONS": "192.0.2.0/24",
        "PUBLIC_URL": "wss://cloud.example:6080/", "ORIGINS": "https://cloud.example",
    }  # fmt: skip
    installation.operator.environ |= {f"SYROS_VNCAUTHPROXY_{key}": value for key, value in environ.items()}
    installation.setup()
    assert "cloud.example" in names(web)


def test_openssl_trusts_what_the_authority_signs(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    cert, key = tmp_path / "a.pem", tmp_path / "a.key"
    authority.issue(cert, key, names=("cloud.example", "192.0.2.7"), group="nobody-here", now=clock.now())
    assert authority.has_signed(cert)
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=authority.certificate)
    server.load_cert_chain(cert, key)
    one, two, three, four = (ssl.MemoryBIO() for _ in range(4))
    shown = server.wrap_bio(one, two, server_side=True)
    seen = client.wrap_bio(three, four, server_hostname="cloud.example")
    for _ in range(4):
        for side in (seen, shown):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                pass
        one.write(four.read())
        three.write(two.read())
    assert seen.getpeercert()


def test_a_name_that_no_certificate_can_have_is_said(installation: Installation) -> None:
    installation.name("api", "cert", "key")
    answer = installation.setup("--name", "übel.example", code=1)
    assert answer.json[-1]["step"] == "tls"


def test_an_authority_that_has_lost_a_half_signs_nothing_and_makes_no_other(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    authority.ensure(now=clock.now())
    (tmp_path / "ca.key").rename(tmp_path / "kept.key")
    with pytest.raises(ValueError, match=r"ca\.pem is there without .*ca\.key"):
        authority.issue(tmp_path / "a.pem", tmp_path / "a.key", names=("a",), group="none", now=clock.now())
    assert sorted(each.name for each in tmp_path.iterdir()) == ["ca.pem", "kept.key"]


def test_an_authority_signs_with_no_key_but_its_own(tmp_path: Path) -> None:
    ours, other = Authority(tmp_path / "ours"), Authority(tmp_path / "other")
    for each in (ours, other):
        each.ensure(now=clock.now())
    (other.folder / "ca.key").replace(ours.folder / "ca.key")
    with pytest.raises(ValueError, match="is not the key of"):
        ours.issue(tmp_path / "a.pem", tmp_path / "a.key", names=("a",), group="none", now=clock.now())


def test_an_api_that_can_not_be_read_is_not_said_to_be_without_tls(installation: Installation) -> None:
    installation.setup()
    installation.operator.environ["SYROS_API_WORKERS"] = "many"
    rows = {row["step"]: row["state"] for row in installation.setup("--check", code=1).json}
    assert rows["tls"] == "trouble"
