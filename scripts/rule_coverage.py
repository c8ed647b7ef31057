"""Write specs/coverage.md anew: which checkers, planted bugs and tests stand behind each rule.

uv run python scripts/rule_coverage.py
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.architecture.source import ROOT
from tests.unit.specs.coverage import make_document


def main() -> int:
    (ROOT / "specs" / "coverage.md").write_text(make_document())
    return 0


if __name__ == "__main__":
    sys.exit(main())
