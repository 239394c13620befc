"""Dumps: the text that a kernel prints of its address spaces, read back.

Question they answer: what does a dump say, as objects and as a state of the contract?
Start reading at: `text` (one line), then `tree` (what the lines make), then `told` (the contract's view of it).
Tests: `tests/adapters/test_dumps.py`.
"""

from vmaspace.checker.adapters.dumps.text import DumpError
from vmaspace.checker.adapters.dumps.told import Told, lacking, told_of
from vmaspace.checker.adapters.dumps.tree import DumpedAspace, DumpedRegion, read_dump

__all__ = ["DumpError", "DumpedAspace", "DumpedRegion", "Told", "lacking", "read_dump", "told_of"]
