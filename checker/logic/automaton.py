"""From a proposition about runs to an automaton that accepts the runs which satisfy it.

The tableau of Gerth, Peled, Vardi and Wolper ("Simple on-the-fly automatic verification of linear temporal logic", 1995): a node
says what a state must have and lack now, and what must hold from the next state on.  A run is accepted if it comes by every
accepting set again and again; there is one for each `until`, so that none is put off for ever.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from vmaspace.checker.logic.propositions import FALSE, TRUE, Proposition, opposite

Props = frozenset[Proposition]
START = -1


@dataclass(frozen=True, slots=True)
class Automaton:
    """Nodes by number.  A state fits node q if it has all facts in `has[q]` and none in `lacks[q]`."""

    initial: tuple[int, ...]
    following: tuple[tuple[int, ...], ...]
    has: tuple[frozenset[int], ...]
    lacks: tuple[frozenset[int], ...]
    accepting: tuple[frozenset[int], ...]


@dataclass(slots=True)
class _Tableau:
    nodes: dict[tuple[Props, Props], int] = field(default_factory=dict)
    before: list[set[int]] = field(default_factory=list)

    def expand(self, new: tuple[Proposition, ...], now: Props, later: Props, came_from: int) -> None:
        """Take apart what is still `new`; what is left to be true `now` and `later` is a node."""
        if not new:
            self.enter(now, later, came_from)
            return
        p, rest = new[0], new[1:]
        if p in now:
            self.expand(rest, now, later, came_from)
            return
        if p == FALSE or (p.op == "fact" and opposite(p) in now):
            return
        seen = now | {p}
        match p.op:
            case "true" | "fact":
                self.expand(rest, seen, later, came_from)
            case "and":
                self.expand((*p.args, *rest), seen, later, came_from)
            case "or":
                for a in p.args:
                    self.expand((a, *rest), seen, later, came_from)
            case "until":
                left, right = p.args
                self.expand((right, *rest), seen, later, came_from)
                self.expand((left, *rest), seen, later | {p}, came_from)
            case "release":
                left, right = p.args
                self.expand((left, right, *rest), seen, later, came_from)
                self.expand((right, *rest), seen, later | {p}, came_from)

    def enter(self, now: Props, later: Props, came_from: int) -> None:
        number = self.nodes.get((now, later))
        if number is not None:
            self.before[number].add(came_from)
            return
        number = self.nodes[now, later] = len(self.before)
        self.before.append({came_from})
        self.expand(tuple(sorted(later, key=repr)), frozenset(), frozenset(), number)


def automaton(p: Proposition) -> Automaton:
    """The automaton of the runs that satisfy `p`."""
    tableau = _Tableau()
    tableau.expand((p,), frozenset(), frozenset(), START)
    following: list[list[int]] = [[] for _ in tableau.nodes]
    for number, sources in enumerate(tableau.before):
        for source in sources - {START}:
            following[source].append(number)
    known = [now for now, _ in tableau.nodes]
    untils = {u for now in known for u in now if u.op == "until"}
    return Automaton(
        initial=tuple(n for n, sources in enumerate(tableau.before) if START in sources),
        following=tuple(tuple(sorted(f)) for f in following),
        has=tuple(frozenset(q.number for q in now if q.op == "fact" and q.positive) for now in known),
        lacks=tuple(frozenset(q.number for q in now if q.op == "fact" and not q.positive) for now in known),
        accepting=tuple(
            frozenset(n for n, now in enumerate(known) if u not in now or u.args[1] in now or u.args[1] == TRUE)
            for u in sorted(untils, key=repr)
        ),
    )
