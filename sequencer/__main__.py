"""Run the command line: `python -m sequencer` is `sequencer`."""

import sys

from sequencer.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
