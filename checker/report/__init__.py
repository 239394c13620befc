"""The report: what every engine hands over (Trace, Verdict), and the forms in which it is read.

Question it answers: what was found, and how do I see it again?
May import: `logic`, `language`. May not import: engines, adapters, the model.
Start reading at: `trace.py`, then `verdict.py`.
To add a form: one module, one function from `Report` or `Trace` to text.
Tests: `tests/report/`.
"""
