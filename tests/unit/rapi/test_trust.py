from pathlib import Path

import pytest

from rapi import errors
from tests.unit.rapi import certificates, fake_rapi
from tests.unit.rapi.conftest import MakeClient, MakeServer

CA = certificates.make("the cluster's CA")
SIGNED = certificates.make("ganeti.example.com", issuer=CA)
SELF_SIGNED = certificates.make("ganeti.example.com")
STRANGER = certificates.make("ganeti.example.com")


@pytest.fixture
def signed(make_server: MakeServer, tmp_path: Path) -> fake_rapi.FakeRapi:
    return make_server(SIGNED.server_context(tmp_path))


@pytest.fixture
def self_signed(make_server: MakeServer, tmp_path: Path) -> fake_rapi.FakeRapi:
    return make_server(SELF_SIGNED.server_context(tmp_path))


def test_a_certificate_signed_by_the_clusters_ca_is_trusted(
    signed: fake_rapi.FakeRapi, make_client: MakeClient
) -> None:
    assert make_client(signed.url, ca_pem=CA.pem).get_version() == 7


def test_a_self_signed_certificate_may_be_its_own_ca(self_signed: fake_rapi.FakeRapi, make_client: MakeClient) -> None:
    assert make_client(self_signed.url, ca_pem=SELF_SIGNED.pem).get_version() == 7


def test_a_servers_certificate_may_stand_for_its_ca(signed: fake_rapi.FakeRapi, make_client: MakeClient) -> None:
    assert make_client(signed.url, ca_pem=SIGNED.pem).get_version() == 7


def test_a_pinned_certificate_is_trusted_without_a_ca(self_signed: fake_rapi.FakeRapi, make_client: MakeClient) -> None:
    assert make_client(self_signed.url, fingerprint=SELF_SIGNED.fingerprint).get_version() == 7


def test_a_fingerprint_may_be_written_with_colons(self_signed: fake_rapi.FakeRapi, make_client: MakeClient) -> None:
    text = ":".join(f"{byte:02X}" for byte in bytes.fromhex(SELF_SIGNED.fingerprint))
    assert make_client(self_signed.url, fingerprint=text).get_version() == 7


@pytest.mark.parametrize(
    "trust",
    [
        {"ca_pem": STRANGER.pem},
        {"fingerprint": STRANGER.fingerprint},
        {"ca_pem": SELF_SIGNED.pem, "fingerprint": STRANGER.fingerprint},
        {"ca_pem": STRANGER.pem, "fingerprint": SELF_SIGNED.fingerprint},
        {},
    ],
    ids=["another CA", "another pin", "right CA, another pin", "another CA, right pin", "the system's CAs"],
)
def test_any_other_certificate_is_refused_before_anything_is_sent(
    self_signed: fake_rapi.FakeRapi, make_client: MakeClient, trust: dict[str, str]
) -> None:
    with pytest.raises(errors.RapiUnreachable) as failure:
        make_client(self_signed.url, **trust).startup_instance("snf-1", reason="r")
    assert not failure.value.sent
    assert self_signed.requests == []


def test_a_bundle_in_the_environment_widens_no_trust(
    self_signed: fake_rapi.FakeRapi, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(SELF_SIGNED.pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    monkeypatch.setenv("CURL_CA_BUNDLE", str(bundle))
    with pytest.raises(errors.RapiUnreachable, match="certificate verify failed"):
        make_client(self_signed.url, ca_pem=STRANGER.pem).get_version()


def test_a_bundle_in_the_environment_narrows_no_trust(
    self_signed: fake_rapi.FakeRapi, make_client: MakeClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    bundle = tmp_path / "bundle.pem"
    bundle.write_text(STRANGER.pem)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    assert make_client(self_signed.url, ca_pem=SELF_SIGNED.pem).get_version() == 7


def test_a_server_that_speaks_no_tls_was_sent_nothing(server: fake_rapi.FakeRapi, make_client: MakeClient) -> None:
    url = server.url.replace("http:", "https:")
    with pytest.raises(errors.RapiUnreachable) as failure:
        make_client(url, ca_pem=CA.pem).startup_instance("snf-1", reason="r")
    assert not failure.value.sent


def test_a_change_moves_on_from_an_address_whose_certificate_is_wrong(
    self_signed: fake_rapi.FakeRapi, signed: fake_rapi.FakeRapi, make_client: MakeClient
) -> None:
    api = make_client(self_signed.url, signed.url, ca_pem=CA.pem)
    assert api.startup_instance("snf-1", reason="r") == 7
    assert self_signed.requests == []


def test_a_ca_that_is_no_certificate_is_an_error_at_once(make_client: MakeClient) -> None:
    with pytest.raises(ValueError, match="ca_pem"):
        make_client("https://127.0.0.1:5080", ca_pem="not a certificate")
