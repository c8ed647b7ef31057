"""Signals end the work quietly; a second one hurries the cleaning up."""

from __future__ import annotations

import signal

import pytest
import trio

from sequencer.cli.signals import STOP_SIGNALS, Remembered, remember_signals, run_until_signal


@pytest.mark.parametrize("number", STOP_SIGNALS)
async def test_signal_ends_the_work_without_an_error(number: signal.Signals) -> None:
    """Ctrl-C, SIGTERM and a closed terminal are the normal end."""

    async def work() -> None:
        signal.raise_signal(number)
        await trio.sleep_forever()

    with trio.fail_after(5):
        await run_until_signal(work, lambda: None, Remembered())


async def test_second_signal_hurries_the_cleaning_up() -> None:
    """While the work still cleans up, one more signal calls `hurry`, once."""
    hurried = trio.Event()
    calls = []

    def hurry() -> None:
        calls.append(True)
        hurried.set()

    async def work() -> None:
        try:
            signal.raise_signal(signal.SIGINT)
            await trio.sleep_forever()
        finally:
            with trio.CancelScope(shield=True):
                signal.raise_signal(signal.SIGINT)
                await hurried.wait()

    with trio.fail_after(5):
        await run_until_signal(work, hurry, Remembered())
    assert calls == [True]


async def test_work_that_ends_by_itself_needs_no_signal() -> None:
    """Without a signal the end of the work is the end."""
    with trio.fail_after(5):
        await run_until_signal(trio.lowlevel.checkpoint, lambda: None, Remembered())


@pytest.mark.parametrize("number", STOP_SIGNALS)
def test_signal_before_anybody_listens_is_not_lost(number: signal.Signals) -> None:
    """It is remembered, and cancels the work as soon as that starts; old handlers come back."""
    before = signal.getsignal(number)
    with remember_signals() as remembered:
        signal.raise_signal(number)
        trio.run(run_until_signal, trio.sleep_forever, lambda: None, remembered)
    assert remembered.is_set
    assert signal.getsignal(number) is before
