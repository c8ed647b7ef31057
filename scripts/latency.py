"""Measure message delays without faults and pacing: is a batch final after five, and what do 100 validators reach?

    uv run python scripts/latency.py [--json]

Measures n = 4 and n = 10 with optimistic and with supported tips over links of 100 ms, and n = 100 over the table of
regions, for which nothing is promised. Exit status 1 if a figure is outside of what is promised.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sequencer.simulation.latency import LatencyOptions, measure_latency

PROMISED = {True: (4.0, 5.0), False: (5.6, 6.4)}
"""Optimistic tips or supported ones → lowest and highest median, in message delays."""
FINALITY_DELAYS = 3.0
"""From proposal to finality at every validator, in message delays."""
CASES = tuple(LatencyOptions(size, is_optimistic=tips) for size in (4, 10) for tips in (True, False))
WORLD = LatencyOptions(100, delay_ms=None, seconds=3)


def main() -> int:
    """Measure every case and say whether it is as promised."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    arguments = parser.parse_args()
    cases = []
    for options in (*CASES, WORLD):
        measured = measure_latency(options).to_json()
        cases.append({**measured, "is_kept": is_kept(options, measured)})
        print(json.dumps(cases[-1]), file=sys.stderr if arguments.json else sys.stdout, flush=True)
    broken = [case for case in cases if not case["is_kept"]]
    if arguments.json:
        print(json.dumps({"measured": len(cases), "broken": len(broken), "cases": cases}))
    return 1 if broken else 0


def is_kept(options: LatencyOptions, measured: dict[str, object]) -> bool:
    """Tell whether a case is as promised; nothing is promised over the world's links."""
    if options.delay_ms is None:
        return measured["unfinished"] == 0
    low, high = PROMISED[options.is_optimistic]
    p50, finality = measured["p50_delays"], measured["finality_p50_delays"]
    assert isinstance(p50, float)
    assert isinstance(finality, float)
    return low <= p50 <= high and abs(finality - FINALITY_DELAYS) < 0.05


if __name__ == "__main__":
    sys.exit(main())
