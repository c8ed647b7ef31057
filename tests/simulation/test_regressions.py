"""Seeds that once broke a promise, by what was wrong.

A seed gives another run whenever the simulator draws otherwise; what then still guards against the bug is the directed
test or the planted bug that was made of it. These stay as a sample of every size.
"""

from __future__ import annotations

import pytest

from sequencer.simulation.options import SimulationOptions
from sequencer.simulation.report import format_failure
from sequencer.simulation.runner import run_seed

SEEDS = (
    pytest.param(5, 0, 2, id="proposal-on-a-parent-below-the-executed-height"),
    pytest.param(5, 0, 18, id="own-vote-kept-by-the-stored-certificate-only"),
    pytest.param(7, 0, 446, id="delivery-asks-for-a-half-fetched-chain-without-pause"),
    pytest.param(4, 0, 0, id="header-of-a-certified-block-lost-when-all-restart"),
    pytest.param(4, 1, 455, id="monitor-wants-a-nullification-below-the-finalized-view"),
    pytest.param(4, 1, 2997, id="have-of-another-fork-after-a-restart-below-the-finalized-position"),
    pytest.param(4, 1, 10583, id="monitor-wants-a-leader-told-of-a-view-that-is-given-up-at-once"),
    pytest.param(5, 1, 12545, id="monitor-blind-to-a-proposal-below-what-a-refused-answer-calls-final"),
    pytest.param(4, 1, 18527, id="monitor-counts-parts-of-a-millisecond-that-the-asking-clock-does-not-show"),
    pytest.param(4, 0, 19389, id="monitor-reads-the-clock-when-a-delayed-vote-is-sent"),
)


@pytest.mark.parametrize(("validators", "byzantine", "seed"), SEEDS)
def test_seed_that_failed_once_keeps_every_promise(validators: int, byzantine: int, seed: int) -> None:
    """The bug that the id names does not come back."""
    options = SimulationOptions(validators, byzantine=byzantine)
    result = run_seed(seed, options)
    assert result.violations == (), "\n".join(format_failure(result, options))
