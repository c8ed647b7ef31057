"""Validators sign scheduled commitments once, certify them together, and stop when they differ. # E2 X6"""

from __future__ import annotations

from dataclasses import replace

import pytest

from sequencer.crypto.hashing import ZERO_DIGEST
from sequencer.errors import InvariantViolation, PeerError
from sequencer.replica.commitments import HEIGHTS_AHEAD_MAX, OPEN_HEIGHTS_MAX, RESENT_MAX, Commitments
from sequencer.types import effects as out
from sequencer.types.commitment import Commitment, CommitmentCertificate, CommitmentVote
from sequencer.types.executed import ExecutedBlock
from sequencer.types.primitives import Digest
from sequencer.types.records import RecordKind
from tests.unit.core_world import NOBODY, PARAMETERS, VERIFY, Group, make_signer, name_digest

GROUP = Group()


def make_executed(height: int, is_scheduled: bool = True, label: str = "") -> ExecutedBlock:
    """Return what executing a block gave; `label` tells two results of one height apart."""
    header = replace(GROUP.root, height=height, view=height)
    root = name_digest(f"{height} {label}")
    roots = (ZERO_DIGEST, root, root, root, root, root)
    commitment = Commitment(GROUP.chain_id, 0, height, header.digest, header.time_ms, *roots)
    return ExecutedBlock(header, commitment, is_scheduled, (), (), (), ())


def get_digest(height: int, label: str = "") -> Digest:
    return make_executed(height, label=label).commitment.digest


class Signing:
    """Validator 0's commitments; `effects` are those of the last act."""

    def __init__(
        self,
        logged: dict[int, Digest] | None = None,
        is_signing: bool = True,
        certificate: CommitmentCertificate | None = None,
    ) -> None:
        self.core = Commitments(
            GROUP.chain_id,
            GROUP.committee,
            PARAMETERS,
            0,
            make_signer(0) if is_signing else None,
            VERIFY,
            certificate,
            dict(logged or {}),
        )
        self.effects: list[out.Effect] = []

    def execute(self, *heights: int, is_scheduled: bool = True, label: str = "") -> Signing:
        for height in heights:
            self.core.on_executed(make_executed(height, is_scheduled, label))
        return self.take()

    def vote(self, peer: int, height: int, label: str = "") -> Signing:
        self.core.on_vote(peer, GROUP.commitment_vote(peer, height, get_digest(height, label)))
        return self.take()

    def certificate(self, certificate: CommitmentCertificate) -> Signing:
        self.core.on_certificate(certificate)
        return self.take()

    def take(self) -> Signing:
        self.effects = self.core.take_effects()
        return self

    @property
    def voted(self) -> list[int]:
        return [
            e.message.height
            for e in self.effects
            if isinstance(e, out.Broadcast) and isinstance(e.message, CommitmentVote)
        ]

    @property
    def stored(self) -> list[int]:
        return [e.certificate.height for e in self.effects if isinstance(e, out.StoreCommitmentCertificate)]


def test_E2_scheduled_commitment_is_logged_then_signed() -> None:
    """The record comes first."""
    effects = Signing().execute(1).effects
    assert [type(effect) for effect in effects] == [out.PersistVote, out.Broadcast]
    assert isinstance(effects[0], out.PersistVote)
    assert effects[0].record == replace(effects[0].record, kind=RecordKind.COMMITMENT, number=1, digest=get_digest(1))


def test_E2_unscheduled_commitment_is_not_signed() -> None:
    """A later certificate covers it."""
    assert Signing().execute(1, is_scheduled=False).effects == []


def test_E2_strong_power_makes_a_certificate() -> None:
    """Own and two others of four; one fewer does not."""
    signing = Signing().execute(1)
    before = signing.vote(1, 1).stored
    assert (before, signing.vote(2, 1).stored, signing.core.certified_height) == ([], [1], 1)


def test_E2_votes_that_came_before_the_execution_count() -> None:
    """A slow node is the last to sign, not the last to know."""
    signing = Signing().vote(1, 1).vote(2, 1)
    assert signing.execute(1).stored == [1]


def test_E2_votes_for_another_result_do_not_add_up() -> None:
    """Each digest is counted alone."""
    assert Signing().execute(1).vote(1, 1, "x").vote(2, 1).stored == []


def test_C1_wrong_signature_bans_its_sender_and_does_not_count() -> None:
    """It is found when it would make a certificate."""
    signing = Signing().execute(1).vote(1, 1)
    signing.core.on_vote(2, replace(GROUP.commitment_vote(2, 1, get_digest(1)), signature=NOBODY))
    effects = signing.take().effects
    assert ([e.peer for e in effects if isinstance(e, out.BanPeer)], signing.stored) == ([2], [])
    assert signing.vote(3, 1).stored == [1]


@pytest.mark.parametrize(
    "certificate",
    [
        GROUP.commitment_certificate(1, get_digest(1), (0, 1)),
        replace(GROUP.commitment_certificate(1, get_digest(1)), height=2),
        replace(GROUP.commitment_certificate(1, get_digest(1)), epoch=1),
    ],
)
def test_E2_wrong_certificate_is_the_peers_error(certificate: CommitmentCertificate) -> None:
    """And changes nothing."""
    signing = Signing().execute(1)
    with pytest.raises(PeerError):
        signing.certificate(certificate)
    assert (signing.core.certificate, signing.take().effects) == (None, [])


def test_E2_strong_set_with_another_result_raises_the_alarm() -> None:
    """This node computes wrongly, or more than F do: it signs nothing more."""
    signing = Signing().execute(1).certificate(GROUP.commitment_certificate(1, get_digest(1, "x"), (1, 2, 3)))
    alarms = [e for e in signing.effects if isinstance(e, out.RaiseAlarm)]
    assert (len(alarms), signing.core.certificate, signing.execute(2).effects) == (1, None, [])


def test_E2_certificate_ahead_is_compared_when_its_height_is_executed() -> None:
    """A node that catches up finds out then."""
    signing = Signing().certificate(GROUP.commitment_certificate(2, get_digest(2, "x"), (1, 2, 3)))
    signing.execute(1)
    assert signing.core.alarm is None
    signing.execute(2)
    assert signing.core.alarm is not None


def test_E2_certificate_covers_the_heights_below() -> None:
    """Nothing below it is signed or counted any more."""
    signing = Signing().execute(1, 2, 3).certificate(GROUP.commitment_certificate(3, get_digest(3), (1, 2, 3)))
    assert (signing.vote(1, 2).vote(2, 2).effects, signing.core.certified_height) == ([], 3)


def test_E2_halt_begins_after_32_scheduled_heights_and_ends_with_a_certificate() -> None:
    """Leaders then propose empty blocks until somebody certifies."""
    signing = Signing().execute(*range(1, 32))
    before = signing.core.is_halted
    during = signing.execute(32).core.is_halted
    signing.certificate(GROUP.commitment_certificate(30, get_digest(30), (1, 2, 3)))
    assert (before, during, signing.core.is_halted) == (False, True, False)


# --- restart ----------------------------------------------------------------------------


def test_X6_signed_again_after_a_restart_it_is_the_same_and_needs_no_record() -> None:
    """Re-execution gives the same digest."""
    signing = Signing(logged={1: get_digest(1)})
    signing.core.on_replayed(make_executed(1))
    signing.core.start()
    assert (signing.take().voted, [type(e) for e in signing.effects]) == ([1], [out.Broadcast])


def test_X6_replayed_block_with_another_result_stops_the_node() -> None:
    """It signed something that it cannot compute again."""
    with pytest.raises(InvariantViolation):
        Signing(logged={1: get_digest(1, "x")}).core.on_replayed(make_executed(1))


def test_X6_block_executed_anew_with_another_result_stops_the_node() -> None:
    """A block that came again from peers is compared too."""
    with pytest.raises(InvariantViolation):
        Signing(logged={1: get_digest(1, "x")}).execute(1)


def test_D1_observer_signs_nothing_and_still_counts() -> None:
    """It learns certificates from others' votes."""
    signing = Signing(is_signing=False).execute(1)
    assert signing.effects == []
    assert signing.vote(1, 1).vote(2, 1).vote(3, 1).stored == [1]


def test_F5_reconnected_peer_gets_the_certificate_and_the_newest_open_votes() -> None:
    """What was lost with the connection is said again, in bounds."""
    signing = Signing().execute(*range(1, 21)).certificate(GROUP.commitment_certificate(2, get_digest(2), (1, 2, 3)))
    signing.core.send_recent(3)
    messages = [e.message for e in signing.take().effects if isinstance(e, out.Send) and e.peer == 3]
    assert isinstance(messages[0], CommitmentCertificate)
    assert [m.height for m in messages[1:] if isinstance(m, CommitmentVote)] == list(range(21 - RESENT_MAX, 21))


# --- bounds -----------------------------------------------------------------------------


def test_I11_vote_far_ahead_is_not_kept() -> None:
    """Only so many heights above the executed one are looked at."""
    signing = Signing().execute(1)
    for peer in (1, 2, 3):
        signing.vote(peer, 2 + HEIGHTS_AHEAD_MAX)
    assert signing.core.certificate is None


@pytest.mark.parametrize("flooded", [range(400, 464), range(2, 66), range(2, 510)], ids=["far", "near", "all"])
def test_E2_flood_of_votes_by_one_validator_stops_no_certificate(flooded: range) -> None:
    """Whatever heights a Byzantine validator fills, the others' votes find their place."""
    signing = Signing().execute(1)
    for height in flooded:
        signing.vote(3, height, "x")
    signing.execute(*range(2, 101))
    for peer in (1, 2):
        signing.vote(peer, 100)
    assert signing.core.certified_height == 100


def test_E2_flood_of_votes_is_bounded() -> None:
    """A flooder leaves no more than its share."""
    signing = Signing().execute(1)
    for height in range(2, 500):
        signing.vote(3, height, "x")
    assert [len(votes) for votes in signing.core._votes] == [1, 0, 0, OPEN_HEIGHTS_MAX]


def test_I11_heights_without_a_certificate_are_bounded_and_still_halt() -> None:
    """However long no certificate comes, only the newest heights wait for one, and leaders stay halted. # E2"""
    signing = Signing().execute(*range(1, 3 * PARAMETERS.uncertified_commitments_max))
    assert signing.core.is_halted
    assert len(signing.core._uncertified) == PARAMETERS.uncertified_commitments_max
