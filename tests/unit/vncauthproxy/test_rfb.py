"""Versions, and VNC's DES against published values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.vncauthproxy.peers import at_leisure
from vncauthproxy import rfb
from vncauthproxy.rfb import Version
from vncauthproxy.stream import Broken


def reversed_bits(key: bytes) -> bytes:
    return bytes(int(f"{byte:08b}"[::-1], 2) for byte in key)


@pytest.mark.parametrize(
    ("key", "plain", "encrypted"),
    [
        # FIPS 81, appendix B, table B1: "Now is the time for all " in ECB, the first two blocks of it
        ("0123456789abcdef", "4e6f77206973207468652074696d6520", "3fa40e8a984d48156a271787ab8883f9"),
        # NIST SP 500-20: a weak key, twice; and the variable key test
        ("0101010101010101", "80000000000000004000000000000000", "95f8a5e5dd31d900dd7f121ca5015619"),
        ("8001010101010101", "00000000000000000000000000000000", "95a8d72813daa94d95a8d72813daa94d"),
    ],
)
def test_des_is_what_the_standards_say_with_each_byte_of_the_key_turned_round(
    key: str, plain: str, encrypted: str
) -> None:
    password = reversed_bits(bytes.fromhex(key))
    assert rfb.response(bytes.fromhex(plain), password).hex() == encrypted


@at_leisure
@given(password=st.binary(max_size=8), challenge=st.binary(min_size=16, max_size=16))
def test_a_password_is_padded_with_zeros_and_known_by_its_response(password: bytes, challenge: bytes) -> None:
    shown = rfb.response(challenge, password)
    assert shown == rfb.response(challenge, password + bytes(8 - len(password)))
    assert rfb.is_response(shown, challenge=challenge, password=password)
    assert not rfb.is_response(bytes(16), challenge=challenge, password=password)
    assert not rfb.is_response(shown[:-1], challenge=challenge, password=password)


@at_leisure
@given(more=st.binary(max_size=20))
def test_what_follows_eight_bytes_of_a_password_does_not_count(more: bytes) -> None:
    assert rfb.response(bytes(16), b"12345678" + more) == rfb.response(bytes(16), b"12345678")


@pytest.mark.parametrize(
    ("message", "version"),
    [
        (b"RFB 003.003\n", Version.V3_3),
        (b"RFB 003.005\n", Version.V3_3),
        (b"RFB 003.000\n", Version.V3_3),
        (b"RFB 003.007\n", Version.V3_7),
        (b"RFB 003.008\n", Version.V3_8),
        (b"RFB 003.889\n", Version.V3_8),
        (b"RFB 004.001\n", Version.V3_8),
        (b"RFB 005.000\n", Version.V3_8),
    ],
)
def test_a_version_is_one_of_three(message: bytes, version: Version) -> None:
    assert rfb.version(message) is version


@pytest.mark.parametrize("message", [b"RFB 002.002\n", b"RFB 003.008\r", b"GET / HTTP/1", b"RFB 3.8\n\n\n\n\n", b""])
def test_what_speaks_something_else_is_broken(message: bytes) -> None:
    with pytest.raises(Broken):
        rfb.version(message)
