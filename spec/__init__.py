"""The contract: Zircon's `VmAspace` as a transition system, in `.aspec` text, one file for each subject.

Question it answers: what must each operation do?
May import: nothing.
Start reading at: `aspace.aspec`.
Tests: `tests/spec/`.
"""
