"""Count what became of a run, and say whether every promise was kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(slots=True)
class Report:
    """The counts that `load` ends with; `final + rejected + unknown = sent`."""

    sent: int = 0
    final: int = 0
    """Proven final to this client, with any outcome."""
    rejected: int = 0
    """Refused at admission, with a reason, and not final afterwards."""
    bundles_committed: int = 0
    bundles_aborted: int = 0
    bundles_partial: int = 0
    """Bundles of which one rollup shows an effect and another does not, or that contradict their outcome."""
    ordered: int = 0
    """Items of this run found in blocks, copies included."""
    ordered_once: int = 0
    """Distinct items of this run found in blocks."""
    latencies_ms: list[float] = field(default_factory=list)
    mismatches: list[str] = field(default_factory=list)
    """One sentence for each transaction that did not become what it had to."""

    @property
    def unknown(self) -> int:
        """Sent, neither final nor refused when the client stopped waiting."""
        return self.sent - self.final - self.rejected

    @property
    def duplicates_pct(self) -> float:
        """Ordered copies beyond the first, in percent of what was ordered."""
        return 100 * (self.ordered - self.ordered_once) / self.ordered if self.ordered else 0.0

    @property
    def is_clean(self) -> bool:
        """Whether nothing is unknown, partial or other than it had to be."""
        return self.unknown == 0 and self.bundles_partial == 0 and not self.mismatches

    def to_json(self) -> dict[str, object]:
        """Return the frozen fields of `load --json`."""
        return {
            "sent": self.sent,
            "final": self.final,
            "rejected": self.rejected,
            "unknown": self.unknown,
            "bundles_committed": self.bundles_committed,
            "bundles_aborted": self.bundles_aborted,
            "bundles_partial": self.bundles_partial,
            "p50_ms": compute_percentile(self.latencies_ms, 50),
            "p99_ms": compute_percentile(self.latencies_ms, 99),
            "duplicates_pct": round(self.duplicates_pct, 2),
        }


def compute_percentile(values: Sequence[float], percent: int) -> float | None:
    """Return the smallest value that `percent` of the values do not exceed, to 0.1; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, -(-len(ordered) * percent // 100) - 1)], 1)
