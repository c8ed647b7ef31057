"""Silence libp2p: it logs several lines at ERROR for each failed stream; we count instead."""

from __future__ import annotations

import logging
import os
from typing import Final


class _DropLibp2p(logging.Filter):
    """Drop what libp2p logs on the root logger; its own loggers are silenced by level."""

    def filter(self, record: logging.LogRecord) -> bool:
        return f"{os.sep}libp2p{os.sep}" not in record.pathname


_DROP_LIBP2P: Final = _DropLibp2p()


def quiet_libp2p() -> None:
    """Set libp2p's loggers to CRITICAL and drop what it logs on the root logger; may be called again."""
    logging.getLogger("libp2p").setLevel(logging.CRITICAL)
    root = logging.getLogger()
    if _DROP_LIBP2P not in root.filters:
        root.addFilter(_DROP_LIBP2P)
