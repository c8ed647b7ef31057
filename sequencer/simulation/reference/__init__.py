"""Interpret the log once more, slowly and plainly, to judge the executors by.

Written from `specs/atomicity.md` alone, it shares nothing with those that execute but `types`, `codec`
and `errors`. It keeps plain dicts and lists, looks for conflicts by looking at everything, runs all
rollups, split ones too, and knows neither journals nor indexes nor roots. # A1 A4 A6 A8 A9 A11 A13 A16 A17 A19
"""

from sequencer.simulation.reference.interpreter import ReferenceInterpreter, Ruling

__all__ = ["ReferenceInterpreter", "Ruling"]
