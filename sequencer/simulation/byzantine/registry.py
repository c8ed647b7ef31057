"""List the behaviours by name, and draw what each Byzantine validator of a seed does."""

from __future__ import annotations

import random

from sequencer.simulation.byzantine.behaviour import Behaviour
from sequencer.simulation.byzantine.censoring_leader import CensoringLeader
from sequencer.simulation.byzantine.conflicting_voter import ConflictingVoter
from sequencer.simulation.byzantine.equivocating_leader import EquivocatingLeader
from sequencer.simulation.byzantine.flooding_peer import FloodingPeer
from sequencer.simulation.byzantine.forging_certifier import ForgingCertifier
from sequencer.simulation.byzantine.forging_server import ForgingServer
from sequencer.simulation.byzantine.forking_lane import ForkingLane
from sequencer.simulation.byzantine.late_proposer import LateProposer
from sequencer.simulation.byzantine.lying_have import LyingHave
from sequencer.simulation.byzantine.selective_finalizer import SelectiveFinalizer
from sequencer.simulation.byzantine.silent_leader import SilentLeader
from sequencer.simulation.byzantine.slow_reader import SlowReader
from sequencer.simulation.byzantine.stale_replayer import StaleReplayer
from sequencer.simulation.byzantine.time_pusher import TimePusher
from sequencer.simulation.byzantine.twins import Twins
from sequencer.simulation.byzantine.withholding_lane import WithholdingLane
from sequencer.types.committee import Committee
from sequencer.types.primitives import ValidatorIndex

BEHAVIOURS: dict[str, type[Behaviour]] = {
    behaviour.name: behaviour
    for behaviour in (
        EquivocatingLeader,
        ConflictingVoter,
        SilentLeader,
        LateProposer,
        SelectiveFinalizer,
        WithholdingLane,
        ForkingLane,
        LyingHave,
        StaleReplayer,
        ForgingCertifier,
        CensoringLeader,
        FloodingPeer,
        SlowReader,
        ForgingServer,
        TimePusher,
        Twins,
    )
}
"""Every behaviour by the name that the command line takes, in the order of specs/threats.md."""
AT_ONCE_MAX = 2
"""Behaviours that one validator shows in one seed, at most, while they are drawn."""


def draw_behaviours(
    rng: random.Random, committee: Committee, members: frozenset[ValidatorIndex], names: tuple[str, ...]
) -> dict[ValidatorIndex, tuple[str, ...]]:
    """Draw what each Byzantine validator does; no `names` means every behaviour there is.

    Within F, which the protocol promises to withstand, each shows one or two of `names`, so that
    none hides another. More than F act together: each shows all of them.
    """
    known = names or tuple(BEHAVIOURS)
    is_together = committee.get_power(members) > committee.fault_power
    return {member: known if is_together else _draw_names(rng, known) for member in sorted(members)}


def _draw_names(rng: random.Random, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return one or two names, in the order of the table."""
    drawn = rng.sample(names, rng.randint(1, min(AT_ONCE_MAX, len(names))))
    return tuple(name for name in BEHAVIOURS if name in drawn)
