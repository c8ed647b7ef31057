"""Join by a snapshot when no peer keeps the next block any more; trust no peer for it. # R2

A round asks every connected peer for its newest snapshot, takes only claims whose commitment is certified
by strong power, and fetches the chunks from all peers that offer one and the same. Each chunk is checked against
what its sender itself had claimed, the whole against the roots of the commitment. So every lie
names a liar: a chunk that differs names its sender, a whole that differs names all who offered it.

Bounds: one request per peer and 8 in all are open; one round fetches at most one claimed snapshot (1 GiB), and a
liar is asked again only after a rest that doubles; a round has a deadline; rounds that give
nothing are 1 s apart, doubling to 4 s.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

from sequencer.crypto.signatures import Verifier
from sequencer.errors import PeerError
from sequencer.sync.snapshot_round import SnapshotRound
from sequencer.types.committee import Committee
from sequencer.types.effects import BanPeer, Send
from sequencer.types.primitives import Digest, Height, Instant, ValidatorIndex
from sequencer.types.snapshot import SnapshotClaim
from sequencer.types.snapshot_messages import GetSnapshot, SnapshotChunk, SnapshotOffer

GATHER_MS_MAX = 1_000
"""The first round waits this long for all other validators to be connected: who is asked can be named."""
OFFERS_MS_MAX = 2_000
"""Longest wait for the offers of the peers that were asked."""
ROUND_PAUSE_MS_MIN = 1_000
"""Pause after a round that gave nothing; doubles with each."""
ROUND_PAUSE_MS_MAX = 4_000
LIAR_REST_MS_MIN = 60_000
"""A peer that served a wrong snapshot is left out this long; doubles with each lie."""
LIAR_REST_MS_MAX = 3_600_000
SLOW_REST_MS = 60_000
"""Who let a round pass its deadline, or serves no more of what it claimed, is asked last for this long."""


class Need(enum.Enum):
    """Why a snapshot is looked for."""

    NONE = "none"
    """Blocks will do."""
    FAR = "far"
    """Peers seem to be so far ahead that only a snapshot more than RETAIN above is worth it."""
    STUCK = "stuck"
    """Nobody keeps the next block: any snapshot above will do."""


class Phase(enum.Enum):
    """What state sync is doing."""

    IDLE = "idle"
    OFFERS = "offers"
    """Peers were asked what they have."""
    CHUNKS = "chunks"
    """A snapshot is being fetched."""
    INSTALLING = "installing"
    """A snapshot was found right and is being made durable."""


@dataclass(slots=True)
class _Peer:
    """What one connected peer said."""

    is_asked: bool = False
    has_answered: bool = False
    claim: SnapshotClaim | None = None


@dataclass(slots=True)
class _Liar:
    reason: str
    lies: int
    until_ms: int


@dataclass(slots=True)
class StateSyncCounters:
    """What went through, for the statistics."""

    rounds: int = 0
    chunks_received: int = 0
    chunks_wrong: int = 0
    snapshots_wrong: int = 0
    """Whole snapshots that did not hash to their commitment, or claims that prove nothing."""
    snapshots_installed: int = 0


@dataclass(frozen=True, slots=True)
class FetchedSnapshot:
    """All bytes that a claim names; whether they are the state is for the executor to find out."""

    claim: SnapshotClaim
    data: bytes
    vouchers: tuple[ValidatorIndex, ...]
    """Who offered it."""


class StateSync:
    """Find, fetch and hand over one snapshot at a time."""

    def __init__(
        self,
        chain_id: Digest,
        committee: Committee,
        verifier: Verifier,
        retain_heights: int,
        own_index: ValidatorIndex | None,
    ) -> None:
        self._chain_id = chain_id
        self._committee = committee
        self._verifier = verifier
        self._retain_heights = retain_heights
        self._others_count = committee.size - (own_index is not None)
        self._peers: dict[ValidatorIndex, _Peer] = {}
        self._liars: dict[ValidatorIndex, _Liar] = {}
        self._slow_until_ms: dict[ValidatorIndex, int] = {}
        self._phase = Phase.IDLE
        self._deadline_ms = 0
        self._next_round_ms = 0
        self._pause_ms = ROUND_PAUSE_MS_MIN
        self._gather_until_ms: int | None = None
        self._round: SnapshotRound | None = None
        self._fetched: FetchedSnapshot | None = None
        self._refusal: str | None = None
        self._bans: list[BanPeer] = []
        self.counters = StateSyncCounters()

    # --- what the replica reads ---------------------------------------------------------

    def is_busy(self, need: Need) -> bool:
        """Tell whether a round runs, or the first one is about to: meanwhile no block is asked for."""
        return self._phase is not Phase.IDLE or (need is Need.FAR and not self.has_asked)

    @property
    def has_asked(self) -> bool:
        """Tell whether any peer was ever asked for its offer."""
        return self.counters.rounds > 0

    def describe(self) -> str | None:
        """Return in words what goes on, for people; None when nothing does."""
        if self._phase is Phase.CHUNKS and self._round is not None:
            return self._round.describe()
        if self._phase is Phase.OFFERS:
            return "asking for snapshots"
        if self._phase is Phase.INSTALLING:
            return "installing a snapshot"
        return self._refusal

    def get_liars(self) -> dict[ValidatorIndex, str]:
        """Return who served a wrong snapshot since the start, and what was wrong, by index."""
        return {peer: self._liars[peer].reason for peer in sorted(self._liars)}

    def take_bans(self) -> list[BanPeer]:
        """Return whom to ban for a lie, once."""
        bans, self._bans = self._bans, []
        return bans

    def take_fetched(self) -> FetchedSnapshot | None:
        """Return the snapshot that is complete, once; `on_installed` or `on_wrong` must follow."""
        fetched, self._fetched = self._fetched, None
        return fetched

    # --- events -------------------------------------------------------------------------

    def on_connected(self, peer: ValidatorIndex) -> None:
        """A peer can be asked."""
        self._peers[peer] = _Peer()

    def on_disconnected(self, peer: ValidatorIndex) -> None:
        """A peer is gone, and with it its offer."""
        self._peers.pop(peer, None)
        if self._round is not None:
            self._round.drop(peer)

    def on_offer(self, peer: ValidatorIndex, offer: SnapshotOffer, now: Instant) -> None:
        """A peer said what it has; raises `PeerError` if its claim proves nothing."""
        known = self._peers.get(peer)
        if known is None or not known.is_asked or known.has_answered:
            return
        known.has_answered = True
        if offer.claim is not None:
            try:
                offer.claim.verify(self._chain_id, self._committee, self._verifier)
            except PeerError as error:
                self.counters.snapshots_wrong += 1
                self._note_liar(peer, str(error), now)
                raise
            known.claim = offer.claim

    def on_chunk(self, peer: ValidatorIndex, chunk: SnapshotChunk, now: Instant) -> None:
        """A chunk came; raises `PeerError` if it is not what its sender had claimed."""
        if self._round is None:
            return
        try:
            self.counters.chunks_received += self._round.on_chunk(peer, chunk)
        except PeerError as error:
            self.counters.chunks_wrong += 1
            self._round.drop(peer)
            self._note_liar(peer, str(error), now)
            raise

    def on_installed(self, now: Instant) -> None:
        """The replica stands on the snapshot."""
        self.counters.snapshots_installed += 1
        if self._round is not None:
            self._blame_others(self._round.claim, now)
        self._pause_ms, self._refusal = ROUND_PAUSE_MS_MIN, None
        self._end_round(now.mono_ms)

    def on_unneeded(self, now: Instant) -> None:
        """Blocks were quicker than the snapshot handed over."""
        self._end_round(now.mono_ms + self._pause_ms)

    def on_wrong(self, fetched: FetchedSnapshot, problem: str, now: Instant) -> None:
        """The snapshot handed over is not the state: whoever offered it lied."""
        self.counters.snapshots_wrong += 1
        for peer in fetched.vouchers:
            self._note_liar(peer, problem, now)
            self._bans.append(BanPeer(peer, problem))
            self._peers.pop(peer, None)
        self._fail(f"refused the snapshot of height {fetched.claim.height}: {problem}", now)

    def _blame_others(self, right: SnapshotClaim, now: Instant) -> None:
        """A snapshot has one sequence of bytes: who offered another one of the same block lied, asked or not."""
        for peer in sorted(self._peers):
            claim = self._peers[peer].claim
            if claim is not None and claim.header == right.header and claim.chunks != right.chunks:
                self.counters.snapshots_wrong += 1
                reason = f"offered another snapshot of height {right.height} than the certified one"
                self._note_liar(peer, reason, now)
                self._bans.append(BanPeer(peer, reason))

    # --- the loop -----------------------------------------------------------------------

    def poll(self, delivered: Height, need: Need, now: Instant) -> list[Send]:
        """Go on, and return the requests that are due."""
        if self._phase is Phase.IDLE and need is not Need.NONE and now.mono_ms >= self._next_round_ms:
            return self._begin(delivered, now) if self._has_gathered(now) else []
        if self._phase is Phase.OFFERS:
            self._choose(delivered, need, now)
        if self._phase is Phase.CHUNKS and self._round is not None:
            return self._fetch(self._round, now)
        return []

    def get_timer(self, need: Need) -> int | None:
        """Return when `poll` may have something to do."""
        if self._phase is Phase.IDLE and need is Need.NONE:
            return None
        if self._phase is Phase.IDLE:
            rests = [self._liars[peer].until_ms if peer in self._liars else 0 for peer in self._peers]
            gather_ms = self._gather_until_ms or 0
            return max(self._next_round_ms, gather_ms, min(rests)) if rests else None
        if self._phase is Phase.OFFERS:
            return self._deadline_ms
        if self._phase is Phase.CHUNKS and self._round is not None:
            return min(self._deadline_ms, self._round.get_timer())
        return None

    def _has_gathered(self, now: Instant) -> bool:
        """Wait a moment for all: where a weak set agrees one is correct, and only who was asked can be named."""
        if not self._peers:
            return False
        if self._gather_until_ms is None:
            self._gather_until_ms = now.mono_ms + GATHER_MS_MAX
        if now.mono_ms < self._gather_until_ms and len(self._peers) < self._others_count:
            return False
        self._gather_until_ms = 0
        return True

    def _begin(self, delivered: Height, now: Instant) -> list[Send]:
        """Ask every peer that is not known as a liar."""
        able = [peer for peer in sorted(self._peers) if not self._is_resting(peer, now)]
        if not able:
            return []
        self.counters.rounds += 1
        self._phase, self._deadline_ms = Phase.OFFERS, now.mono_ms + OFFERS_MS_MAX
        for peer in able:
            self._peers[peer] = _Peer(is_asked=True)
        return [Send(peer, GetSnapshot(delivered)) for peer in able]

    def _choose(self, delivered: Height, need: Need, now: Instant) -> None:
        """Fetch what most power offers, once all have answered or time is up; leave it if blocks will do."""
        asked = [known for known in self._peers.values() if known.is_asked]
        if any(not known.has_answered for known in asked) and now.mono_ms < self._deadline_ms:
            return
        lowest = delivered + (1 if need is Need.STUCK else self._retain_heights)
        claim, vouchers = self._find_best(lowest, now)
        if claim is None:
            self._fail(None, now)
            return
        self._round = SnapshotRound(claim, vouchers, now.mono_ms)
        self._phase, self._deadline_ms = Phase.CHUNKS, self._round.deadline_ms

    def _find_best(self, lowest: Height, now: Instant) -> tuple[SnapshotClaim | None, list[ValidatorIndex]]:
        """Return the claim of a height ≥ `lowest` that most power makes, then the highest, with those who make it."""
        groups: dict[tuple[Digest, ...], list[ValidatorIndex]] = {}
        claims: dict[tuple[Digest, ...], SnapshotClaim] = {}
        for peer in sorted(self._peers):
            claim = self._peers[peer].claim
            if claim is not None and claim.height >= lowest and not self._is_resting(peer, now):
                key = (claim.header.digest, *claim.chunks)
                groups.setdefault(key, []).append(peer)
                claims.setdefault(key, claim)
        if not groups:
            return None, []
        quick = {key: [peer for peer in groups[key] if not self._is_slow(peer, now)] for key in groups}
        best = max(groups, key=lambda key: (self._committee.get_power(quick[key]), claims[key].height, key))
        return claims[best], groups[best]

    def _fetch(self, current: SnapshotRound, now: Instant) -> list[Send]:
        if now.mono_ms >= self._deadline_ms:
            self._note_slow(current.vouchers, now)
            self._fail(f"gave up the snapshot of height {current.claim.height}: too slow", now)
            return []
        sends = current.poll(now.mono_ms)
        data = current.take_data()
        if data is not None:
            self._fetched = FetchedSnapshot(current.claim, data, current.vouchers)
            self._phase = Phase.INSTALLING
        elif not current.has_peers:
            self._note_slow(current.vouchers, now)  # else a claim that nobody serves goes first for ever
            self._fail(f"lost the snapshot of height {current.claim.height}: nobody serves it any more", now)
        return sends

    def _fail(self, refusal: str | None, now: Instant) -> None:
        """End a round that gave nothing; the next one comes later and later."""
        self._refusal = refusal or self._refusal
        self._end_round(now.mono_ms + self._pause_ms)
        self._pause_ms = min(2 * self._pause_ms, ROUND_PAUSE_MS_MAX)

    def _end_round(self, next_round_ms: int) -> None:
        self._phase, self._round, self._fetched = Phase.IDLE, None, None
        self._next_round_ms = next_round_ms
        for known in self._peers.values():
            known.is_asked, known.has_answered, known.claim = False, False, None

    # --- liars --------------------------------------------------------------------------

    def _is_resting(self, peer: ValidatorIndex, now: Instant) -> bool:
        liar = self._liars.get(peer)
        return liar is not None and now.mono_ms < liar.until_ms

    def _is_slow(self, peer: ValidatorIndex, now: Instant) -> bool:
        return now.mono_ms < self._slow_until_ms.get(peer, 0)

    def _note_slow(self, peers: Iterable[ValidatorIndex], now: Instant) -> None:
        self._slow_until_ms.update(dict.fromkeys(peers, now.mono_ms + SLOW_REST_MS))

    def _note_liar(self, peer: ValidatorIndex, reason: str, now: Instant) -> None:
        lies = 1 + (self._liars[peer].lies if peer in self._liars else 0)
        rest_ms = min(LIAR_REST_MS_MIN << (lies - 1), LIAR_REST_MS_MAX)
        self._liars[peer] = _Liar(reason, lies, now.mono_ms + rest_ms)
