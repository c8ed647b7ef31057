"""Tell in one line what a block brought; idle blocks and floods are summed up.

At most `LINES_PER_SECOND` block lines a second are written; what comes beyond is told as "+12 blocks".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sequencer.types.leaves import decode_leg_leaf, get_envelope_kind
from sequencer.types.primitives import SYSTEM_NAMESPACE
from sequencer.types.verdict import StatementKind

LINES_PER_SECOND = 4
IDLE_SECONDS = 10.0
"""Empty blocks are summed up in one line after this long."""
BUNDLES_SHOWN = 1
"""Bundles that one line tells of."""
REASON_LENGTH = 60
WAITING_MAX = 4_096
"""Bundles that were ordered and not decided whose rollups are remembered."""
CERTIFICATE_KINDS = frozenset(StatementKind)
"""Kinds of items that executors sign: not what a person counts."""


@dataclass(frozen=True, slots=True)
class BlockSummary:
    """What one line says of a block."""

    height: int
    items_by_rollup: tuple[tuple[str, int], ...]
    committed: int
    """Bundles and deliveries that committed here, wherever they were ordered."""
    aborted: int
    inadmissible: int
    """Bundles and deliveries; a certificate that came too late counts as nothing."""
    waiting: int
    """Bundles that were ordered here and wait for executors."""
    certificates: int
    """Verdicts, roots and beats of executors that took effect."""
    bundles: tuple[str, ...]
    """One phrase for each decided bundle with more than one leg."""

    @property
    def is_empty(self) -> bool:
        """Whether the block ordered and decided nothing that a client sent."""
        return self.committed + self.aborted + self.inadmissible + self.waiting == 0

    def to_json(self) -> dict[str, object]:
        """Return the `block` event of `devnet --json`."""
        return {
            "event": "block",
            "height": self.height,
            "items": dict(self.items_by_rollup),
            "committed": self.committed,
            "aborted": self.aborted,
            "inadmissible": self.inadmissible,
            "waiting": self.waiting,
            "certificates": self.certificates,
            "bundles": list(self.bundles),
        }


class Summaries:
    """Summarises blocks in their order; remembers where bundles reached that are decided later."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[str, str] = OrderedDict()
        """Id of a bundle of more than one leg → its rollups, joined; at most `WAITING_MAX`, the oldest go first."""

    def summarise(self, block: Mapping[str, Any]) -> BlockSummary:
        """Return the summary of a block as `seq_getBlocks` gives it."""
        sent, certificates = _part_by_kind(block)
        entries = [entry for entry in block["rollups"] if entry["id"] != SYSTEM_NAMESPACE and entry["leaves"]]
        self._remember(entries)
        outcomes = [outcome["outcome"] for outcome in block["outcomes"]]
        return BlockSummary(
            block["height"],
            tuple((entry["rollup"], len(entry["leaves"])) for entry in entries),
            outcomes.count("COMMIT"),
            outcomes.count("ABORT"),
            sent.count("inadmissible"),
            sent.count("pending"),
            certificates.count("committed"),
            tuple(self._describe_bundles(block["outcomes"])),
        )

    def _remember(self, entries: Sequence[Mapping[str, Any]]) -> None:
        rollups: dict[str, list[str]] = {}
        for entry in entries:
            for leaf in entry["leaves"]:
                bundle_id, _, leg_count, _ = decode_leg_leaf(bytes.fromhex(leaf[2:]))
                if leg_count > 1:
                    rollups.setdefault(f"0x{bundle_id.hex()}", []).append(entry["rollup"])
        for bundle, names in rollups.items():
            self._waiting.setdefault(bundle, "+".join(dict.fromkeys(names)))
        while len(self._waiting) > WAITING_MAX:
            self._waiting.popitem(last=False)

    def _describe_bundles(self, outcomes: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Yield `9a31c2… alpha+beta committed` for each decided bundle of more than one leg."""
        for outcome in outcomes:
            names = self._waiting.pop(outcome["id"], None)
            if names is not None:
                word = "committed" if outcome["outcome"] == "COMMIT" else "aborted"
                reason = f": {outcome['reason'][:REASON_LENGTH]}" if outcome["reason"] else ""
                yield f"{outcome['id'][2:8]}… {names} {word}{reason}"


def _part_by_kind(block: Mapping[str, Any]) -> tuple[list[str], list[str]]:
    """Return the statuses of what clients sent, and those of executors' certificates."""
    envelopes = [leaf for entry in block["rollups"] if entry["id"] == SYSTEM_NAMESPACE for leaf in entry["leaves"]]
    sent: list[str] = []
    certificates: list[str] = []
    for leaf, result in zip(envelopes, block["results"], strict=True):
        is_certificate = get_envelope_kind(bytes.fromhex(leaf[2:])) in CERTIFICATE_KINDS
        (certificates if is_certificate else sent).append(result["status"])
    return sent, certificates


def make_line(clock: str, summary: BlockSummary) -> str:
    """Return the line of a block with content."""
    items = "  ".join(f"{name}:{count}" for name, count in summary.items_by_rollup)
    counts = ", ".join(
        f"{count} {word}"
        for count, word in (
            (summary.committed, "committed"),
            (summary.aborted, "aborted"),
            (summary.inadmissible, "inadmissible"),
            (summary.waiting, "waiting"),
        )
        if count
    )
    shown = "".join(f"   bundle {text}" for text in summary.bundles[:BUNDLES_SHOWN])
    more = len(summary.bundles) - BUNDLES_SHOWN
    return f" {clock}  #{summary.height:<6} {items}   {counts}{shown}{f'   +{more} bundles' if more > 0 else ''}"


@dataclass(slots=True)
class BlockLines:
    """Decides which lines appear; time is given by the caller, in seconds of a monotonic clock."""

    _window_start: float = float("-inf")
    _lines_in_window: int = 0
    _idle: int = 0
    _idle_since: float = 0.0
    _held_back: int = 0

    def on_block(self, summary: BlockSummary, now: float, clock: str) -> list[str]:
        """Count one block; return the lines to write now."""
        lines = self._open_window(now, clock)
        if summary.is_empty:
            return lines + self._on_empty(summary, now, clock)
        self._idle = 0  # the number of the next line shows how many empty blocks there were
        if self._lines_in_window >= LINES_PER_SECOND:
            self._held_back += 1
            return lines
        self._lines_in_window += 1
        return [*lines, make_line(clock, summary)]

    def _open_window(self, now: float, clock: str) -> list[str]:
        """Start the next second if the last one is over, and tell what it held back."""
        if now - self._window_start < 1.0:
            return []
        count, self._held_back = self._held_back, 0
        self._window_start, self._lines_in_window = now, 1 if count else 0
        return [f" {clock}  +{count} blocks"] if count else []

    def _on_empty(self, summary: BlockSummary, now: float, clock: str) -> list[str]:
        if self._idle == 0:
            self._idle_since = now
        self._idle += 1
        if now - self._idle_since < IDLE_SECONDS:
            return []
        idle, self._idle = self._idle, 0
        return [f" {clock}  #{summary.height:<6} idle: {idle} empty blocks"]
