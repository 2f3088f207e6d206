import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from cloud import keypairs
from tests.unit.apiserver.asking import Asking
from tests.unit.apiserver.compute.conftest import MakeServer

PATH = "/compute/v2.1/os-keypairs"
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@here"  # the bytes 0 to 31
FINGERPRINT = "0f:a2:0a:d7:38:3e:65:45:08:6b:63:84:1c:ff:dc:ba"


def test_a_key_is_imported_listed_shown_and_forgotten(demo: Asking) -> None:
    answer = demo.post(PATH, {"keypair": {"name": "mine", "public_key": f"{KEY}\n"}})
    assert answer.status_code == 200
    keypair = answer.json["keypair"]
    assert set(keypair) == {"name", "public_key", "fingerprint", "user_id"}
    assert keypair["public_key"] == KEY
    assert demo.get(PATH).json["keypairs"] == [
        {"keypair": {key: keypair[key] for key in ("name", "public_key", "fingerprint")}}
    ]
    assert demo.get(f"{PATH}/mine").json["keypair"]["created_at"] == "2026-01-31T12:00:00.000000"
    assert demo.delete(f"{PATH}/mine").status_code == 202
    assert demo.get(f"{PATH}/mine").status_code == 404
    assert demo.delete(f"{PATH}/mine").status_code == 404


@pytest.mark.parametrize(
    "public",
    [
        ed25519.Ed25519PrivateKey.generate().public_key(),
        ec.generate_private_key(ec.SECP256R1()).public_key(),
        rsa.generate_private_key(public_exponent=65537, key_size=2048).public_key(),
    ],
    ids=["ed25519", "ecdsa", "rsa"],
)
def test_every_common_kind_of_key_is_taken(
    demo: Asking, public: ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
) -> None:
    text = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    assert demo.post(PATH, {"keypair": {"name": "mine", "public_key": text}}).status_code == 200


def test_a_pair_is_made_when_no_key_is_given_and_its_private_half_is_not_kept(demo: Asking) -> None:
    keypair = demo.post(PATH, {"keypair": {"name": "made"}}).json["keypair"]
    private = serialization.load_pem_private_key(keypair["private_key"].encode(), None)
    public = private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    assert public.decode() == keypair["public_key"]
    assert "private_key" not in demo.get(f"{PATH}/made").json["keypair"]


@pytest.mark.parametrize("name", ["", " ", "a/b", "k" * 256, "ключ", "a\x00b", 7, None])
def test_a_name_that_can_not_be_meant_is_refused(demo: Asking, name: object) -> None:
    assert demo.post(PATH, {"keypair": {"name": name, "public_key": KEY}}).status_code == 400


@pytest.mark.parametrize(
    "key",
    [
        "",
        "ssh-rsa JUNK nova@ubuntu",
        "ssh-dss AAAA",
        "junk",
        KEY.removeprefix("ssh-ed25519 "),
        KEY.replace("ssh-ed25519", "ssh-rsa"),
        f"{KEY}\n{KEY}",
        "ssh-ed25519 " + "A" * 20000,
        7,
    ],
)
def test_a_key_that_is_none_is_refused(demo: Asking, key: object) -> None:
    assert demo.post(PATH, {"keypair": {"name": "mine", "public_key": key}}).status_code == 400


def test_a_second_key_by_one_name_is_a_conflict(demo: Asking) -> None:
    body = {"keypair": {"name": "mine", "public_key": KEY}}
    assert [demo.post(PATH, body).status_code for _ in range(2)] == [200, 409]


def test_keys_are_their_users_own(demo: Asking, stranger: Asking, admin: Asking) -> None:
    demo.post(PATH, {"keypair": {"name": "mine", "public_key": KEY}})
    for other in (stranger, admin):
        assert other.get(PATH).json == {"keypairs": []}
        assert other.get(f"{PATH}/mine").status_code == 404
        assert other.delete(f"{PATH}/mine").status_code == 404


def test_a_reader_may_not_add_keys(anyone: Asking) -> None:
    reader = anyone.as_user("watcher")
    assert reader.post(PATH, {"keypair": {"name": "mine", "public_key": KEY}}).status_code == 403


def test_only_so_many_keys_are_kept(demo: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keypairs, "MOST", 1)
    answers = [demo.post(PATH, {"keypair": {"name": name, "public_key": KEY}}) for name in ("a", "b")]
    assert [answer.status_code for answer in answers] == [200, 403]


def test_a_server_is_made_with_a_key_and_keeps_its_name(demo: Asking, make: MakeServer) -> None:
    demo.post(PATH, {"keypair": {"name": "mine", "public_key": KEY}})
    server = make(key_name="mine")
    demo.delete(f"{PATH}/mine")
    assert demo.get(f"/compute/v2.1/servers/{server}").json["server"]["key_name"] == "mine"


def test_the_fingerprint_is_the_one_that_ssh_keygen_shows(demo: Asking) -> None:
    found = demo.post(PATH, {"keypair": {"name": "mine", "public_key": KEY}}).json["keypair"]["fingerprint"]
    assert found == FINGERPRINT
