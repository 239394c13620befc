"""The standard library of properties: `.aspec` text by subject, over the state that `spec/` declares.

Question it answers: what must hold, whatever the operations did?
May import: nothing.
To add one: `vmaspace new`, or a few lines in a file beside these.
Tests: `tests/properties/`.
"""
