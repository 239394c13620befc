"""The checker: reads the contract and the properties, and says whether they hold.

Question it answers: does every property hold, and if not, which run shows it?
Rooms, each of which may import the earlier ones that its own card names: `language` (text), `logic` (terms),
`report` (traces and verdicts), `adapters` (what can be driven), `engines`, `cli`.
Start reading at: `report/trace.py`, the one thing that every engine hands over.
Tests: `tests/`, one folder for each room.
"""
