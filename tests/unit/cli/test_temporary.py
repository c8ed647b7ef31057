"""A devnet's directory goes with it; what a killed one left is removed by the next, and nothing else is."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from sequencer.cli.cluster.temporary import lend_directory, remove_abandoned


def find_dead_pid() -> int:
    """Return the id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait(30)
    return ended.pid


def test_lent_directory_is_empty_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing of it stays, whatever was written."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with lend_directory() as directory:
        assert list(directory.iterdir()) == []
        (directory / "genesis.bin").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []


def test_directory_of_a_dead_process_is_removed(tmp_path: Path) -> None:
    """Also one with files in it."""
    left = tmp_path / f"sequencer-devnet-{find_dead_pid()}-abcd_123"
    (left / "val0").mkdir(parents=True)
    remove_abandoned(tmp_path)
    assert not left.exists()


def test_directory_in_use_or_of_another_name_is_kept(tmp_path: Path) -> None:
    """Control: the lock alone protects, the living process alone protects, and so does another name."""
    dead = find_dead_pid()
    locked, living = f"sequencer-devnet-{dead}-locked12", f"sequencer-devnet-{os.getpid()}-living12"
    other, linked = "sequencer-devnet-abcd_123", f"sequencer-devnet-{dead}-linked12"
    for name in (locked, living, other, "target"):
        (tmp_path / name).mkdir()
    (tmp_path / linked).symlink_to(tmp_path / "target")
    descriptor = os.open(tmp_path / locked, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        remove_abandoned(tmp_path)
    finally:
        os.close(descriptor)
    assert {path.name for path in tmp_path.iterdir()} == {locked, living, other, linked, "target"}
