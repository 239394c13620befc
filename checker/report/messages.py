"""The codes and headlines under which a verdict is told: one list, one line each.

A code never changes its meaning and is never used again for another. The codes of the language stand in its own room.
"""

from vmaspace.checker.report.verdict import Kind

# (code, headline at one operation, headline without one); %p is the property, %o the operation
HEADLINES = {
    Kind.VIOLATED: ("VMA501", "%p does not survive %o", "%p does not hold"),
    Kind.NOT_INDUCTIVE: ("VMA502", "%p is not inductive over %o", "%p is not inductive"),
    Kind.UNREACHED: ("VMA503", "%p was not reached by %o", "%p was not reached"),
    Kind.DEVIATION: ("VMA504", "%p is broken by %o, as its deviation says", "%p is broken, as its deviation says"),
    Kind.DEVIATION_GONE: ("VMA505", "%p is marked as broken by %o, but holds", "%p is marked as broken, but holds"),
    Kind.UNKNOWN: ("VMA506", "%p is undecided at %o", "%p is undecided"),
    Kind.FAILED: ("VMA507", "%p fails at %o", "%p fails"),
    Kind.UNSUPPORTED: ("VMA508", "%p cannot be judged at %o", "%p cannot be judged"),
    Kind.PROVED: ("VMA510", "%p survives %o, for any number of elements", "%p holds, for any number of elements"),
    Kind.PASSED: ("VMA511", "%p survives %o, within the bounds", "%p holds, within the bounds"),
    Kind.LIKELY: ("VMA513", "%p most likely survives %o, within the bounds", "%p most likely holds, within the bounds"),
    Kind.REACHED: ("VMA512", "%p is reached by %o", "%p is reached"),
}

# What the reader can do about a verdict that has no trace to replay.
ADVICE = {
    Kind.DEVIATION_GONE: "if the deviation is mended for good, remove the `deviation` mark from the property",
    Kind.UNKNOWN: "give it more time, or split the property",
    Kind.UNREACHED: "widen the scope, or check that the condition is possible at all",
}


def code_of(kind: Kind) -> str:
    return HEADLINES[kind][0]


def headline(kind: Kind, name: str, operation: str | None) -> str:
    code, at_operation, alone = HEADLINES[kind]
    words = at_operation.replace("%o", operation) if operation else alone
    return f"{code} {words.replace('%p', name)}"
