"""Write what happened to a node as one JSON object per line, for people and scripts; never more than 32 MiB.

Promises: a line is whole or not there (one write each); the file is renamed to `.1` when it
reaches 16 MiB, replacing the one before. Losing it costs nothing else.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from pathlib import Path

from sequencer.store.disk import naming_failure

EVENT_LOG_BYTES_MAX = 16 << 20
"""Size at which the file is renamed."""


class EventLog:
    """One node's log; None as path writes nothing."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._descriptor = -1
        self._size = 0
        if path is not None:
            self._open(path)

    @property
    def is_open(self) -> bool:
        """Whether lines go anywhere."""
        return self._descriptor >= 0

    def write(self, event: str, members: Mapping[str, object]) -> None:
        """Append one line: the time in milliseconds since 1970, the event's name, its members."""
        if self._path is None or not self.is_open:
            return
        line = json.dumps({"time_ms": time.time_ns() // 1_000_000, "event": event, **members}) + "\n"
        with naming_failure("write", self._path):
            self._size += os.write(self._descriptor, line.encode())
        if self._size >= EVENT_LOG_BYTES_MAX:
            self._roll(self._path)

    def close(self) -> None:
        """Close the file; later lines go nowhere."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, path: Path) -> None:
        with naming_failure("open", path):
            self._descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._size = os.fstat(self._descriptor).st_size

    def _roll(self, path: Path) -> None:
        self.close()
        with naming_failure("rename", path):
            os.replace(path, path.with_name(path.name + ".1"))
        self._open(path)
