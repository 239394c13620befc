"""Checks of the VM layer's own invariants that the contract has no words for: of lists, page tables, locks, counts.

Each has the number that `docs/invariants.md` gives it. A check looks at the objects after a step (`on_state`), or is told
by a class that observes the model's own one while an operation runs. Either is independent of what the model asserts.

Not here: invariants that are properties of the contract.
"""
