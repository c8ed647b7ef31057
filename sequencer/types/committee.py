"""Weigh validators: who is a strong set, who is a weak one, who leads a view."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sequencer.codec import encode
from sequencer.crypto.hashing import Tag, hash_tagged
from sequencer.errors import LocalError
from sequencer.types.primitives import Digest, Epoch, ValidatorIndex, View

SCHEDULE_SLOTS_PER_VALIDATOR = 16
"""Length of the leader table in slots per validator (before powers are reduced by their common scale)."""


@dataclass(frozen=True, slots=True)
class Validator:
    """One member of the committee."""

    name: str
    """What people call it; 1..32 characters, unique."""
    public_key: bytes
    """Vote key, 32 bytes; it never enters libp2p."""
    power: int
    """Voting power, ≥ 1."""


@dataclass(frozen=True)
class Committee:
    """The validators of one epoch with their powers. # G1"""

    epoch: Epoch
    validators: tuple[Validator, ...]
    seed: Digest
    """Epoch seed: permutes the initial order of leaders."""

    @property
    def size(self) -> int:
        """n, the number of validators."""
        return len(self.validators)

    @cached_property
    def total_power(self) -> int:
        """W, the sum of all powers."""
        return sum(validator.power for validator in self.validators)

    @cached_property
    def fault_power(self) -> int:
        """F = (W-1)//3: the most power that may be Byzantine. # G1"""
        return (self.total_power - 1) // 3

    def get_power(self, signers: Iterable[ValidatorIndex]) -> int:
        """Return the power of distinct `signers`."""
        return sum(map(self._powers.__getitem__, signers))

    def is_strong(self, signers: Iterable[ValidatorIndex]) -> bool:
        """Tell whether distinct `signers` have power ≥ W-F; never computed as 2F+1. # G1"""
        return self.get_power(signers) >= self.total_power - self.fault_power

    def is_weak(self, signers: Iterable[ValidatorIndex]) -> bool:
        """Tell whether distinct `signers` have power ≥ F+1, so that one of them is honest. # G1"""
        return self.get_power(signers) >= self.fault_power + 1

    @cached_property
    def _powers(self) -> tuple[int, ...]:
        return tuple(validator.power for validator in self.validators)

    @cached_property
    def digest(self) -> Digest:
        """Digest of keys and powers: the `validators hash` of a commitment."""
        return hash_tagged(
            Tag.VALIDATORS, encode((self.epoch, tuple((v.name, v.public_key, v.power) for v in self.validators)))
        )

    def get_leader(self, view: View) -> ValidatorIndex:
        """Return the leader of `view`. # E7"""
        return self._schedule[view % len(self._schedule)]

    @cached_property
    def leader_gap_max(self) -> int:
        """F' : the longest run of consecutive slots that faulty validators of power ≤ F can own. # T1"""
        if len({validator.power for validator in self.validators}) == 1:
            return max(1, (self.size - 1) // 3)
        return _compute_longest_faulty_run(self)

    @cached_property
    def _schedule(self) -> tuple[ValidatorIndex, ...]:
        order = sorted(
            range(self.size), key=lambda index: hash_tagged(Tag.SCHEDULE, self.seed, index.to_bytes(8, "big"))
        )
        credit = dict.fromkeys(order, 0)
        slots = []
        for _ in range(self.size * SCHEDULE_SLOTS_PER_VALIDATOR):
            for index in order:
                credit[index] += self.validators[index].power
            leader = max(order, key=lambda index: credit[index])
            credit[leader] -= self.total_power
            slots.append(leader)
        return tuple(slots)

    def get_index(self, name: str) -> ValidatorIndex:
        """Return the index of the validator called `name`; raises `LocalError` if there is none."""
        for index, validator in enumerate(self.validators):
            if validator.name == name:
                return index
        raise LocalError(f"no validator is called {name!r}")


def _compute_longest_faulty_run(committee: Committee) -> int:
    """Bound the run greedily: slide a window over the schedule while its distinct leaders' power stays ≤ F."""
    schedule = committee._schedule
    longest = 1
    for start in range(len(schedule)):
        owners: set[ValidatorIndex] = set()
        run = 0
        for step in range(len(schedule)):
            owners.add(schedule[(start + step) % len(schedule)])
            if committee.get_power(owners) > committee.fault_power:
                break
            run += 1
        longest = max(longest, run)
    return longest
