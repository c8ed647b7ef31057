"""Items of every kind are read, checked without state, or refused by their field. # A3 A9 A15 A20 A21"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.codec import encode
from sequencer.types.bundle import Leg, Operation, Reference
from sequencer.types.item import CheckedItem, SignedBundle, compute_item_id, get_item_kind
from sequencer.types.message import CrossMessage, Delivery, compute_message_id
from sequencer.types.outcome import Reason, Rejection
from sequencer.types.receipt import MerklePath
from sequencer.types.verdict import BeatStatement, ExecutorCertificate, RootStatement, Verdict, VerdictStatement
from tests.execution_world import ALICE, ALPHA, BETA, make_leg
from tests.split_world import DELTA, EPSILON, EXECUTOR_SIGNERS, burn, check, check_legs, mint, sign_statement

VERDICT = VerdictStatement(DELTA, b"b" * 32, Verdict.YES, "", (), b"a" * 32)
BEAT = BeatStatement(DELTA, 7)
ROOT = RootStatement(DELTA, 7, 6, b"s" * 32, b"r" * 32, b"o" * 32)
MESSAGE = CrossMessage(ALPHA, DELTA, "USD", ALICE, ALICE, 5, b"b" * 32, 0, 1)
DELIVERY = Delivery(MESSAGE, 7, MerklePath(0, 2, (b"p" * 32,)))
CERTIFICATE = sign_statement(ROOT)
OUT, VALUE = Reference(0, "out"), Reference(1, "value")


def get_refusal(checked: CheckedItem) -> tuple[Reason, str]:
    assert isinstance(checked, Rejection)
    return checked.reason, checked.path


def use(rollup: int, *references: Reference) -> Leg:
    return make_leg(rollup, *(Operation("transfer", ("USD", ALICE, reference)) for reference in references))


@pytest.mark.parametrize("statement", [VERDICT, BEAT, ROOT])
@pytest.mark.parametrize("signers", [(0, 1), (1, 2), (0, 1, 2)])
def test_A9_certificate_of_enough_executors_is_taken(
    statement: VerdictStatement | BeatStatement | RootStatement, signers: tuple[int, ...]
) -> None:
    """Any two of three executors speak for the rollup, and the item comes back as it was."""
    certificate = sign_statement(statement, signers)
    checked = check(certificate.item_bytes)
    assert (checked, get_item_kind(checked)) == (certificate, statement.KIND)


@pytest.mark.parametrize(
    ("certificate", "reason", "path"),
    [
        (sign_statement(ROOT, (2,)), Reason.BAD_SIGNATURE, "item.body.signers"),
        (replace(CERTIFICATE, signers=(), signatures=()), Reason.BAD_SIGNATURE, "item.body.signers"),
        (replace(CERTIFICATE, signers=(0, 3)), Reason.BAD_SIGNATURE, "item.body.signers"),
        (replace(CERTIFICATE, signers=(0, 1, 2)), Reason.BAD_SIGNATURE, "item.signatures"),
        (replace(CERTIFICATE, signers=(0, 2)), Reason.BAD_SIGNATURE, "item.signatures[1]"),
        (replace(CERTIFICATE, signatures=CERTIFICATE.signatures[::-1]), Reason.BAD_SIGNATURE, "item.signatures[0]"),
        (replace(CERTIFICATE, statement=replace(ROOT, height=8)), Reason.BAD_SIGNATURE, "item.signatures[0]"),
        (
            replace(CERTIFICATE, statement=replace(ROOT, rollup=ALPHA)),
            Reason.UNKNOWN_ROLLUP,
            "item.body.statement.rollup",
        ),
        (replace(CERTIFICATE, statement=replace(ROOT, rollup=9)), Reason.UNKNOWN_ROLLUP, "item.body.statement.rollup"),
        (replace(CERTIFICATE, statement=replace(ROOT, rollup=EPSILON)), Reason.BAD_SIGNATURE, "item.body.signers"),
    ],
)
def test_A9_certificate_that_nobody_may_believe_is_refused(
    certificate: ExecutorCertificate, reason: Reason, path: str
) -> None:
    """f_r signatures, a stranger, a doubled or foreign signature, another statement, a native rollup."""
    assert get_refusal(check(certificate.item_bytes)) == (reason, path)


def test_A9_vote_of_one_executor_counted_twice_has_no_encoding() -> None:
    """Signers are a set of bits; two signatures for one bit are one too many."""
    twice = encode((4, (ROOT.to_fields(), b"\x01"), (CERTIFICATE.signatures[0],) * 2))
    assert get_refusal(check(twice)) == (Reason.BAD_SIGNATURE, "item.body.signers")


@pytest.mark.parametrize(
    ("item", "path"),
    [
        (encode((4, (ROOT.to_fields(), b"\x03\x00"), CERTIFICATE.signatures)), "item.body.signers"),
        (encode((3, (ROOT.to_fields(), b"\x03"), CERTIFICATE.signatures)), "item.body.statement"),
        (encode((4, (ROOT.to_fields(),), CERTIFICATE.signatures)), "item.body.signers"),
        (encode((2, b"body", ())), "item.body"),
        (encode((5, (MESSAGE.to_value(), 7, (0, 1, ())), (bytes(64),))), "item.signatures"),
        (Delivery(replace(MESSAGE, amount=0), 7, DELIVERY.path).item_bytes, "item.body.message.amount"),
        (Delivery(replace(MESSAGE, asset=""), 7, DELIVERY.path).item_bytes, "item.body.message.asset"),
        (Delivery(replace(MESSAGE, source=DELTA), 7, DELIVERY.path).item_bytes, "item.body.message.destination"),
    ],
)
def test_malformed_item_is_refused_by_its_field(item: bytes, path: str) -> None:
    """Each kind has exactly its own form."""
    assert get_refusal(check(item)) == (Reason.MALFORMED, path)


@pytest.mark.parametrize("kind", [0, 6, 255])
def test_unknown_kind_is_refused(kind: int) -> None:
    """Kinds are 1..5."""
    assert get_refusal(check(encode((kind, (), ())))) == (Reason.UNKNOWN_KIND, "item.kind")


def test_A19_delivery_needs_no_signature() -> None:
    """Its path is checked at its position."""
    checked = check(DELIVERY.item_bytes)
    assert (checked, get_item_kind(checked)) == (DELIVERY, 5)


@pytest.mark.parametrize("name", ["source", "destination"])
def test_A19_delivery_between_unknown_rollups_is_refused(name: str) -> None:
    """Both ends must exist."""
    changed = replace(MESSAGE, source=9) if name == "source" else replace(MESSAGE, destination=9)
    delivery = Delivery(changed, 7, DELIVERY.path)
    assert get_refusal(check(delivery.item_bytes)) == (Reason.UNKNOWN_ROLLUP, f"item.body.message.{name}")


def test_message_id_names_source_bundle_leg_and_operation() -> None:
    """Two messages of one bundle are two, and no rollup can name another one's."""
    places = [(b"a" * 32, 0, 1), (b"a" * 32, 1, 0), (b"b" * 32, 0, 1)]
    assert len({compute_message_id(source, *place) for source in (1, 2) for place in places}) == 6


def test_certificate_has_an_item_id_of_its_bytes() -> None:
    """Another signer set is another item."""
    items = [sign_statement(ROOT, signers).item_bytes for signers in ((0, 1), (1, 2))]
    assert len({compute_item_id(item, check(item)) for item in items}) == 2


@pytest.mark.parametrize(("decide_within", "is_taken"), [(0, False), (5, False), (6, True), (256, True)])
def test_A21_bundle_with_a_split_rollup_grants_F_plus_5_heights(decide_within: int, is_taken: bool) -> None:
    """Four validators: F = 1."""
    checked = check_legs(make_leg(DELTA), make_leg(ALPHA), decide_within=decide_within)
    assert isinstance(checked, SignedBundle) == is_taken
    assert is_taken or get_refusal(checked) == (Reason.BAD_DECIDE_WITHIN, "item.body.decide_within")


def test_A3_native_bundle_that_grants_heights_is_refused() -> None:
    """It is decided at its position."""
    assert get_refusal(check_legs(make_leg(ALPHA), decide_within=6))[0] is Reason.BAD_DECIDE_WITHIN


@pytest.mark.parametrize(
    "legs",
    [
        (make_leg(ALPHA, burn(5), mint(5)),),
        (make_leg(ALPHA, burn(5)), make_leg(BETA, mint(2), mint(3))),
        (make_leg(ALPHA, burn(5), burn(1, "ETH")), make_leg(BETA, mint(1, "ETH"), mint(5))),
        (make_leg(BETA), make_leg(BETA, burn(OUT)), make_leg(ALPHA, mint(OUT))),
        (make_leg(BETA), make_leg(BETA, burn(OUT), burn(7)), make_leg(ALPHA, mint(7), mint(OUT))),
    ],
)
def test_A20_bundle_that_mints_what_it_burns_is_taken(legs: tuple[Leg, ...]) -> None:
    """Constants are summed per asset, references matched one by one."""
    assert isinstance(check_legs(*legs), SignedBundle)


@pytest.mark.parametrize(
    ("legs", "path"),
    [
        ((make_leg(ALPHA, mint(5)),), "item.body.legs"),
        ((make_leg(ALPHA, burn(5)),), "item.body.legs"),
        ((make_leg(ALPHA, burn(5)), make_leg(BETA, mint(6))), "item.body.legs"),
        ((make_leg(ALPHA, burn(5)), make_leg(BETA, mint(5, "ETH"))), "item.body.legs"),
        ((make_leg(BETA), make_leg(BETA, burn(OUT)), make_leg(ALPHA, mint(OUT), mint(OUT))), "item.body.legs"),
        ((make_leg(BETA), make_leg(BETA), make_leg(ALPHA, burn(OUT), mint(VALUE))), "item.body.legs"),
        ((make_leg(BETA), make_leg(ALPHA, burn(5)), make_leg(ALPHA, mint(OUT))), "item.body.legs"),
        ((make_leg(ALPHA, burn(5), Operation("mint", ("USD", 5))),), "item.body.legs[0].operations[1]"),
        ((make_leg(ALPHA, Operation("burn", (b"USD", 5)), mint(5)),), "item.body.legs[0].operations[0]"),
        ((make_leg(ALPHA, Operation("burn", ("USD", "5")), mint(5)),), "item.body.legs[0].operations[0]"),
    ],
)
def test_A20_bundle_that_does_not_balance_is_refused(legs: tuple[Leg, ...], path: str) -> None:
    """Mint alone, burn alone, another amount, asset or reference, twice, or arguments that cannot be read."""
    assert get_refusal(check_legs(*legs)) == (Reason.UNBALANCED, path)


@pytest.mark.parametrize(
    "legs",
    [
        (use(DELTA), use(ALPHA, Reference(0, "a")), use(ALPHA, Reference(1, "a")), use(EPSILON, Reference(2, "a"))),
        (use(DELTA), use(DELTA, Reference(0, "a"))),
        (use(DELTA), use(EPSILON), use(ALPHA, Reference(0, "a"), Reference(1, "a"))),
        (use(ALPHA), use(BETA, Reference(0, "a")), use(ALPHA, Reference(1, "a")), use(DELTA, Reference(2, "a"))),
    ],
)
def test_A15_values_that_flow_on_are_taken(legs: tuple[Leg, ...]) -> None:
    """Over several rollups, within one, and in a circle of native ones."""
    assert isinstance(check_legs(*legs, decide_within=9), SignedBundle)


@pytest.mark.parametrize(
    "legs",
    [
        (use(DELTA), use(EPSILON, Reference(0, "a")), use(DELTA, Reference(1, "a"))),
        (use(DELTA), use(EPSILON), use(DELTA, Reference(1, "a")), use(EPSILON, Reference(0, "a"))),
        (use(DELTA), use(ALPHA, Reference(0, "a")), use(DELTA, Reference(1, "a"))),
        (use(ALPHA), use(DELTA, Reference(0, "a")), use(ALPHA, Reference(1, "a"))),
    ],
)
def test_A15_values_that_flow_back_to_a_split_rollup_are_refused(legs: tuple[Leg, ...]) -> None:
    """Its verdict would wait for itself, directly or over others."""
    assert get_refusal(check_legs(*legs, decide_within=9)) == (Reason.BAD_REFERENCE, "item.body.legs")


def test_A9_executors_of_one_rollup_do_not_speak_for_another() -> None:
    """Epsilon's only executor signs for epsilon; delta's first one does not."""
    certificate = sign_statement(BeatStatement(EPSILON, 7), (0,))
    assert get_refusal(check(certificate.item_bytes)) == (Reason.BAD_SIGNATURE, "item.signatures[0]")
    assert EXECUTOR_SIGNERS[3].public_key != EXECUTOR_SIGNERS[0].public_key


@pytest.mark.parametrize("statement", [VERDICT, BEAT, ROOT])
def test_A9_every_flipped_byte_of_a_certificate_is_refused(
    statement: VerdictStatement | BeatStatement | RootStatement,
) -> None:
    """Every byte is signed, or names who signed."""
    item = sign_statement(statement).item_bytes
    for place in range(len(item)):
        damaged = item[:place] + bytes([item[place] ^ 0x01]) + item[place + 1 :]
        assert isinstance(check(damaged), Rejection), place


def test_A4_damaged_delivery_is_read_or_refused_but_raises_nothing() -> None:
    """What it says is proven at its position, so a change may still be a delivery here."""
    item = DELIVERY.item_bytes
    for bit in (0x01, 0x80):
        for place in range(len(item)):
            damaged = item[:place] + bytes([item[place] ^ bit]) + item[place + 1 :]
            assert isinstance(check(damaged), Delivery | Rejection), place
