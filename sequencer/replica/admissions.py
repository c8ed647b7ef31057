"""Tell of each item of an executed block whose lane it came by, and whether it could be admitted. # L9"""

from __future__ import annotations

from collections.abc import Iterable

from sequencer.types.executed import ExecutedBlock
from sequencer.types.outcome import Status
from sequencer.types.primitives import ValidatorIndex


def list_admissions(
    batches: Iterable[tuple[ValidatorIndex, int]], executed: ExecutedBlock
) -> list[tuple[ValidatorIndex, bool]]:
    """Return (lane, is inadmissible) per item; `batches` are lane and number of items of each, in delivery order."""
    lanes = [lane for lane, count in batches for _ in range(count)]
    return [(lanes[result.index], result.status is Status.INADMISSIBLE) for result in executed.results]
