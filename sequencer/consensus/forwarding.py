"""Remember who was told what, so that certificates reach those who wait and nobody is flooded. # F1 F4"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from sequencer.consensus.view_record import ViewRecord
from sequencer.types.messages import HELLO_CERTIFICATES_MAX
from sequencer.types.primitives import ValidatorIndex, View
from sequencer.types.vote import Certificate, VoteKind

ANSWERS_REMEMBERED_MAX = 1_024
"""(peer, view) pairs whose last answer is remembered; the oldest goes first."""
ALL_VIEWS: View = -1
"""Stands for the view in the memory of answers to GET_CERTS."""


class Forwarding:
    """What is known of the peers' views, and when each was answered last."""

    def __init__(self) -> None:
        self._peer_views: dict[ValidatorIndex, View] = {}
        self._answers: OrderedDict[tuple[ValidatorIndex, View], int] = OrderedDict()
        self._asked_ms: dict[ValidatorIndex, int] = {}

    @property
    def peers_known(self) -> int:
        """Return of how many peers a view is remembered."""
        return len(self._peer_views)

    @property
    def answers_remembered(self) -> int:
        """Return how many answers are remembered."""
        return len(self._answers)

    def may_ask(self, peer: ValidatorIndex, now_ms: int, retry_ms: int) -> bool:
        """Tell whether the peer may be asked for certificates now: once per T_RETRY; if so, remember it."""
        last_ms = self._asked_ms.get(peer)
        if last_ms is not None and now_ms - last_ms < retry_ms:
            return False
        self._asked_ms[peer] = now_ms
        return True

    def note_view(self, peer: ValidatorIndex, view: View) -> None:
        """A message shows that the peer has reached `view`."""
        if view > self._peer_views.get(peer, 0):
            self._peer_views[peer] = view

    def get_peer_view(self, peer: ValidatorIndex) -> View:
        """Return the highest view that the peer is known to have reached."""
        return self._peer_views.get(peer, 0)

    def forget_peer(self, peer: ValidatorIndex) -> None:
        """The connection broke: the peer may have lost what it knew."""
        self._peer_views.pop(peer, None)
        self._asked_ms.pop(peer, None)
        for key in [key for key in self._answers if key[0] == peer]:
            del self._answers[key]

    def may_answer(self, peer: ValidatorIndex, view: View, now_ms: int, retry_ms: int) -> bool:
        """Tell whether the peer may be answered for `view` now: once per T_RETRY; if so, remember it. # F4"""
        last_ms = self._answers.get((peer, view))
        if last_ms is not None and now_ms - last_ms < retry_ms:
            return False
        self._answers[(peer, view)] = now_ms
        self._answers.move_to_end((peer, view))
        if len(self._answers) > ANSWERS_REMEMBERED_MAX:
            self._answers.popitem(last=False)
        return True


def collect_certificates(
    records: Mapping[View, ViewRecord], finalized_view: View, last_view: View
) -> tuple[Certificate, ...]:
    """Return the N and Z held of the views above the finalized one up to `last_view`, ascending."""
    return tuple(
        certificate
        for view in sorted(records)
        if finalized_view < view <= last_view
        for kind in (VoteKind.NULLIFY, VoteKind.NOTARIZE)
        if (certificate := records[view].get_certificate(kind)) is not None
    )


def collect_hello_certificates(
    records: Mapping[View, ViewRecord], finalized_view: View, finalization: Certificate | None
) -> tuple[Certificate, ...]:
    """Return F of the finalized view, then the newest N and Z above it, ascending. # F5"""
    above = collect_certificates(records, finalized_view, max(records, default=0))
    anchor = () if finalization is None else (finalization,)
    return (*anchor, *above[-(HELLO_CERTIFICATES_MAX - 1) :])


def find_way_out(
    records: Mapping[View, ViewRecord], view: View, finalized_view: View, finalization: Certificate | None
) -> Certificate | None:
    """Return the certificate that leads out of an old view, if one is held. # F4"""
    if view <= finalized_view:
        return finalization
    record = records.get(view)
    if record is None:
        return None
    return record.get_certificate(VoteKind.NOTARIZE) or record.get_certificate(VoteKind.NULLIFY)
