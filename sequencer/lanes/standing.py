"""Remember which lanes have earned that a leader proposes their batches unsupported. # L8

Standing is a matter of one leader's speed, never of safety: no two validators need agree on it.
Memory: one record per lane, and per lane and peer the block of its last complaint.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sequencer.types.committee import Committee
from sequencer.types.primitives import ValidatorIndex

WINDOW_BLOCKS = 64
"""A complaint counts for this many finalized blocks."""
PENALTY_BLOCKS_MIN = 64
"""Finalized blocks for which a lane that came late is proposed only where supported."""
PENALTY_BLOCKS_MAX = 4_096
"""Longest penalty; each offence after the last penalty has ended doubles it up to here."""


@dataclass(slots=True)
class _Record:
    penalty: int = 0
    """Length of the last penalty in blocks; 0 if there was none, or all of it was forgiven."""
    until: int = 0
    """Block from which on the lane is clean again."""
    complaints: dict[ValidatorIndex, int] = field(default_factory=dict)
    """Peers whose votes the lane delayed, with the block at which they said so."""
    is_frozen: bool = False


class Standing:
    """The standing of every lane, as one validator sees it."""

    def __init__(self, committee: Committee) -> None:
        self._committee = committee
        self._lanes = [_Record() for _ in committee.validators]
        self._blocks = 0
        self.penalties = 0
        """Penalties given; for the statistics."""

    def on_block(self) -> None:
        """A block was finalized: time passes."""
        self._blocks += 1

    def is_clean(self, lane: ValidatorIndex) -> bool:
        """Tell whether tips of the lane may be proposed as soon as they are held."""
        return self._blocks >= self._lanes[lane].until and not self._lanes[lane].is_frozen

    def is_frozen(self, lane: ValidatorIndex) -> bool:
        """Tell whether the lane's owner signed two batches for one position. # X5"""
        return self._lanes[lane].is_frozen

    def freeze(self, lane: ValidatorIndex) -> None:
        """The lane forked: propose nothing of it any more in this epoch. # X5"""
        self._lanes[lane].is_frozen = True

    def on_late(self, lane: ValidatorIndex) -> None:
        """The lane's tip delayed the own vote by more than T_LATE."""
        self._penalise(self._lanes[lane])

    def on_complaint(self, peer: ValidatorIndex, lane: ValidatorIndex) -> None:
        """A peer says that the lane delayed its vote; weak power of them is believed."""
        record = self._lanes[lane]
        record.complaints[peer] = self._blocks
        recent = [other for other, block in record.complaints.items() if self._blocks - block < WINDOW_BLOCKS]
        if self._committee.is_weak(recent):
            record.complaints.clear()
            self._penalise(record)

    def _penalise(self, record: _Record) -> None:
        """Start a penalty; during one, complaints are echoes of the same offence."""
        if self._blocks < record.until:
            return
        self._forgive(record)
        record.penalty = min(max(PENALTY_BLOCKS_MIN, 2 * record.penalty), PENALTY_BLOCKS_MAX)
        record.until = self._blocks + record.penalty
        self.penalties += 1

    def _forgive(self, record: _Record) -> None:
        """Halve the penalty for each clean period of its own length since it ended."""
        while record.penalty and self._blocks >= record.until + record.penalty:
            record.until += record.penalty
            record.penalty = record.penalty // 2 if record.penalty > PENALTY_BLOCKS_MIN else 0
