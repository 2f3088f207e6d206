"""Backends, against a simulated cluster over its own TLS."""

import hashlib
import ssl

import pytest

from cloud import backends, vault
from gntsim.server import Simulator
from manage import certificates
from rapi.errors import RapiUnreachable
from tests.unit.manage.conftest import Operator, Tenancy, add_arguments

NOBODY = "https://127.0.0.1:1"


def certificate_of(simulator: Simulator) -> str:
    pem = simulator.settings.cert_file.read_text()
    start = pem.index("-----BEGIN CERTIFICATE-----")
    end = pem.index("-----END CERTIFICATE-----") + len("-----END CERTIFICATE-----\n")
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem[start:end])).hexdigest()


def absent(operator: Operator, *more: str) -> tuple[str, ...]:
    """Give the command that adds a cluster that does not answer."""
    password = operator.file("rapi-password", "secret\n")
    return (
        *("backend", "add", "lab", "--rapi-url", NOBODY, "--rapi-user", "syros"),
        *("--rapi-password-file", password, *more),
    )


def test_a_cluster_is_added_and_knows_its_capacity(operator: Operator, simulator: Simulator) -> None:
    made = operator.json(*add_arguments(operator, simulator))

    assert made["cluster"] == simulator.cluster_uuid
    assert made["condition"] == "ok"
    assert made["nodes"] == 3
    assert made["memory_free"] > 0
    assert operator.json("backend", "list") == [made]
    assert operator.json("backend", "show", "lab") == made


def test_whether_ganeti_is_to_have_networks_is_chosen_and_taken_back(operator: Operator, simulator: Simulator) -> None:
    made = operator.json(*add_arguments(operator, simulator, "--no-refresh"))
    assert made["network_objects"] is False
    assert operator.json("backend", "set", "lab", "--network-objects")["network_objects"] is True
    assert operator.json("backend", "set", "lab", "--no-network-objects")["network_objects"] is False
    operator.run("backend", "set", "lab", code=2)
    operator.run("backend", "set", "elsewhere", "--network-objects", code=1)


def test_a_password_is_never_shown_nor_kept_in_the_clear(operator: Operator, simulator: Simulator) -> None:
    secret = "correct-horse-battery"
    arguments = list(add_arguments(operator, simulator, "--no-refresh"))
    operator.file("rapi-password", secret)

    shown = operator.run(*arguments).out + operator.run("backend", "show", "lab", "--format", "json").out

    assert secret not in shown
    assert secret not in backends.get(operator.cloud, "lab").rapi_password


def test_trust_on_first_use_pins_what_the_cluster_shows(operator: Operator, simulator: Simulator) -> None:
    answer = operator.run(*add_arguments(operator, simulator, "--trust-on-first-use", "--format", "json"))

    assert answer.json["rapi_fingerprint"] == certificate_of(simulator)
    assert answer.json["condition"] == "ok"
    assert certificates.spaced(certificate_of(simulator)) in answer.err


def test_a_fingerprint_may_be_written_as_openssl_does(operator: Operator, simulator: Simulator) -> None:
    spaced = certificates.spaced(certificate_of(simulator))

    made = operator.json(*add_arguments(operator, simulator, "--fingerprint", spaced))

    assert (made["rapi_fingerprint"], made["condition"]) == (certificate_of(simulator), "ok")


def test_a_cluster_with_another_certificate_is_not_talked_to(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator, "--fingerprint", "0" * 64), code=3)

    assert operator.json("backend", "show", "lab")["condition"] == "trouble"


def test_without_any_trust_and_nobody_to_ask_a_cluster_is_not_added(operator: Operator) -> None:
    assert "--trust-on-first-use" in operator.run(*absent(operator), code=2).err
    assert operator.json("backend", "list") == []


def test_what_does_not_answer_can_not_be_trusted_on_first_use(operator: Operator) -> None:
    answer = operator.run(*absent(operator, "--trust-on-first-use"), code=3)

    assert NOBODY in answer.err
    assert operator.json("backend", "list") == []


def test_a_cluster_out_of_reach_is_kept_with_its_trouble(operator: Operator) -> None:
    answer = operator.run(*absent(operator, "--system-ca"), code=3)

    assert "backend lab: " in answer.err
    assert operator.json("backend", "show", "lab")["trouble"] is not None
    operator.run("backend", "refresh", code=3)


def test_a_cluster_that_refuses_us_is_code_1(operator: Operator, simulator: Simulator) -> None:
    arguments = add_arguments(operator, simulator)
    operator.file("rapi-password", "wrong\n")

    operator.run(*arguments, code=1)

    assert "401" in operator.json("backend", "show", "lab")["trouble"]


def test_one_cluster_is_not_two_backends(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator))

    arguments = [word if word != "lab" else "again" for word in add_arguments(operator, simulator)]
    operator.run(*arguments, code=1)

    assert operator.json("backend", "show", "again")["trouble"] == "backend lab is this cluster already"


def test_without_the_key_no_backend_is_added(operator: Operator, simulator: Simulator) -> None:
    del operator.environ["SYROS_SECRETS_KEY"]

    answer = operator.run(*add_arguments(operator, simulator), code=2)

    assert answer.err.startswith("syros-manage: [secrets] key is not set: key_file names the file")
    assert "/etc/syros/secrets/key" in answer.err
    assert "syros-manage key new" in answer.err
    assert "opens nothing that is sealed already" in answer.err


def test_with_another_key_it_is_said_which_is_wanted_and_what_to_do_without(
    operator: Operator, simulator: Simulator
) -> None:
    operator.run(*add_arguments(operator, simulator))
    operator.environ["SYROS_SECRETS_KEY"] = vault.new_key()

    answer = operator.run("backend", "refresh", "lab", code=2)

    assert "sealed: that was done with another key" in answer.err
    assert "/etc/syros/secrets/key" in answer.err
    assert "syros-manage backend set NAME --rapi-password-file FILE" in answer.err

    password = operator.file("rapi-password", "secret\n")
    operator.run("backend", "set", "lab", "--rapi-password-file", password)
    assert operator.json("backend", "refresh", "lab")[0]["condition"] == "ok"


def test_flags_are_set_and_taken_back(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator))

    assert operator.json("backend", "drain", "lab")["condition"] == "drained"
    assert operator.json("backend", "undrain", "lab")["condition"] == "ok"
    assert operator.json("backend", "offline", "lab", "--yes")["condition"] == "offline"
    assert operator.run("backend", "refresh", "lab", code=3).err.count("\n") == 1
    assert operator.json("backend", "online", "lab")["condition"] == "ok"


def test_a_cluster_that_moved_is_found_at_its_new_place(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator, "--no-refresh"))

    operator.run("backend", "move", "lab", "--rapi-url", NOBODY)
    operator.run("backend", "refresh", "lab", code=3)
    operator.run("backend", "move", "lab", "--rapi-url", NOBODY, "--rapi-url", simulator.url)

    assert operator.json("backend", "refresh", "lab")[0]["condition"] == "ok"


def test_an_unused_backend_is_removed_after_a_yes(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator, "--no-refresh"))

    operator.run("backend", "remove", "lab", stdin="n\n", code=1)
    operator.run("backend", "remove", "lab", stdin="y\n")

    assert operator.json("backend", "list") == []


def test_a_backend_with_history_is_not_removed(tenancy: Tenancy) -> None:
    tenancy.create()

    assert "drain it" in tenancy.operator.run("backend", "remove", "lab", "--yes", code=1).err


def test_a_pin_for_plain_http_makes_no_sense_and_is_not_asked_for() -> None:
    assert certificates.fingerprint(["http://127.0.0.1:1"]) is None


def test_the_first_address_that_answers_gives_the_certificate(simulator: Simulator) -> None:
    assert certificates.fingerprint([NOBODY, simulator.url]) == certificate_of(simulator)


def test_no_answer_at_all_is_unreachable() -> None:
    with pytest.raises(RapiUnreachable):
        certificates.fingerprint([NOBODY])


def test_a_rescue_image_is_set_changed_and_taken_away(operator: Operator, simulator: Simulator) -> None:
    made = operator.json(*add_arguments(operator, simulator, "--rescue-image", "/srv/one.iso"))
    assert made["rescue_image"] == "/srv/one.iso"
    assert operator.json("backend", "set", "lab", "--rescue-image", "/srv/two.iso")["rescue_image"] == "/srv/two.iso"
    assert operator.json("backend", "set", "lab", "--rescue-image", "")["rescue_image"] is None
    refused = operator.run("backend", "set", "lab", "--rescue-image", "two.iso", code=2)
    assert "rescue_image" in refused.err


def test_all_that_a_backend_is_added_with_can_be_changed(operator: Operator, simulator: Simulator) -> None:
    made = operator.json(*add_arguments(operator, simulator, "--no-refresh", "--hvparam", "a=1", "--hvparam", "b=2"))
    changed = {
        "rapi_urls": [NOBODY], "rapi_user": "other", "rapi_fingerprint": "ab" * 32, "rapi_ca": False, "prefix": "mine-",
        "disk_template": "drbd", "hypervisor": "fake", "os": "", "hvparams": {"b": "3", "c": "4"}, "max_jobs": 7,
        "rescue_image": None, "network_objects": True,
    }  # fmt: skip
    answer = operator.json(
        *("backend", "set", "lab", "--rapi-url", NOBODY, "--rapi-user", "other", "--fingerprint", "AB:" * 31 + "AB"),
        *("--prefix", "mine-", "--disk-template", "drbd", "--hypervisor", "fake", "--os", "", "--max-jobs", "7"),
        *("--no-hvparam", "a", "--hvparam", "b=3", "--hvparam", "c=4", "--network-objects"),
    )
    assert answer == {**made, **changed}
    assert operator.json("backend", "show", "lab") == answer


def test_a_changed_password_is_sealed_and_used(operator: Operator, simulator: Simulator) -> None:
    operator.run(*add_arguments(operator, simulator))
    wrong = operator.file("wrong", "wrong\n")
    shown = operator.run("backend", "set", "lab", "--rapi-password-file", wrong).out
    assert "wrong" not in shown
    assert "wrong" not in backends.get(operator.cloud, "lab").rapi_password
    operator.run("backend", "refresh", "lab", code=1)
    operator.run("backend", "set", "lab", "--rapi-password-file", operator.file("right", "secret\n"))
    assert operator.json("backend", "refresh", "lab")[0]["condition"] == "ok"


def test_what_is_trusted_is_changed_as_a_whole(operator: Operator, simulator: Simulator) -> None:
    made = operator.json(*add_arguments(operator, simulator))
    assert (made["rapi_ca"], made["rapi_fingerprint"]) == (True, None)
    pinned = operator.json("backend", "set", "lab", "--trust-on-first-use")
    assert (pinned["rapi_ca"], pinned["rapi_fingerprint"]) == (False, certificate_of(simulator))
    assert operator.json("backend", "refresh", "lab")[0]["condition"] == "ok"
    with_ca = operator.json("backend", "set", "lab", "--ca-file", str(simulator.ca_file))
    assert (with_ca["rapi_ca"], with_ca["rapi_fingerprint"]) == (True, None)
    system = operator.json("backend", "set", "lab", "--system-ca")
    assert (system["rapi_ca"], system["rapi_fingerprint"]) == (False, None)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--max-jobs", "0"], "max_jobs"),
        (["--prefix", "No"], "prefix"),
        (["--rapi-url", "ftp://h"], "rapi"),
        (["--fingerprint", "ab"], "rapi"),
        (["--disk-template", "a" * 17], "disk_template"),
        (["--hypervisor", "\N{LATIN SMALL LETTER E WITH ACUTE}"], "hypervisor"),
        (["--rescue-image", "/srv/one.iso", "--hypervisor", "fake"], "rescue_image"),
        ([], "what is to change"),
    ],
)
def test_what_a_backend_can_not_be_is_refused_and_nothing_changed(
    operator: Operator, simulator: Simulator, arguments: list[str], word: str
) -> None:
    made = operator.json(*add_arguments(operator, simulator, "--no-refresh"))
    others = ["--rapi-user", "other"] if arguments else []
    assert word in operator.run("backend", "set", "lab", *others, *arguments, code=2).err
    assert operator.json("backend", "show", "lab") == made


def test_a_prefix_stays_while_instances_are_named_by_it(tenancy: Tenancy) -> None:
    tenancy.create()
    assert "prefix" in tenancy.operator.run("backend", "set", "lab", "--prefix", "mine-", code=1).err
    tenancy.operator.run("backend", "set", "lab", "--prefix", "syros-", "--max-jobs", "3")
