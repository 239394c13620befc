"""The search for lassos: runs of a graph that an automaton accepts and that are fair.

The product of graph and automaton is searched for its strongly connected components.  A component is good if it has a step,
meets every accepting set, and treats every fair operation fairly: somewhere in it the operation cannot change anything, or one
of its steps is taken.  Then one loop can come by all of these.  Of the states in good components, the one with the fewest
steps from the first state ends the stem.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from vmaspace.checker.engines.explore.components import components
from vmaspace.checker.engines.explore.graph import Graph
from vmaspace.checker.logic.automaton import Automaton

Node = int  # of the product: state * nodes of the automaton + node
NODE_BYTES = 300  # about what a node costs while it is searched


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the graph: its label, and the state that it leads to."""

    label: int
    state: int


@dataclass(frozen=True, slots=True)
class Lasso:
    """Steps from the first state, and then those that lead back to where they start."""

    stem: tuple[Step, ...]
    loop: tuple[Step, ...]


class Product:
    """A graph and an automaton side by side.

    A loop has wishes, bits of a mask: to come by each accepting set, and for each fair operation by a state in which it can
    change nothing or by a step of it.  fair: labels of operations, with their bit in the graph's `ready`.
    """

    def __init__(self, graph: Graph, automaton: Automaton, fair: Sequence[tuple[int, int]], memory: int) -> None:
        self.graph = graph
        self.width = len(automaton.following)
        self.most = memory // NODE_BYTES
        masks = [(_mask(has), _mask(lacks)) for has, lacks in zip(automaton.has, automaton.lacks, strict=True)]
        asked = 0
        for has, lacks in masks:
            asked |= has | lacks
        # States that agree in what is asked are of one class; a row says where each node of the automaton may go.
        classes: dict[int, int] = {}
        self.kind = [classes.setdefault(known & asked, len(classes)) for known in graph.known]
        fits = [
            frozenset(q for q, (has, lacks) in enumerate(masks) if known & has == has and not known & lacks)
            for known in classes
        ]
        self.rows = [
            [tuple(q for q in following if q in fit) for fit in fits] for following in automaton.following
        ]
        first = graph.first
        self.initial = [first * self.width + q for q in automaton.initial if q in fits[self.kind[first]]]
        sets = automaton.accepting
        self.all_wishes = (1 << len(sets) + len(fair)) - 1
        self.by_place = [_mask(i for i, accepted in enumerate(sets) if q in accepted) for q in range(self.width)]
        self.by_label = {label: 1 << len(sets) + i for i, (label, _) in enumerate(fair)}
        self.by_ready = [(bit, 1 << len(sets) + i) for i, (_, bit) in enumerate(fair)]

    def steps(self, node: Node) -> list[tuple[int, Node]]:
        """Labels and nodes that a node leads to."""
        state, q = divmod(node, self.width)
        row = self.rows[q]
        return [
            (label, target * self.width + following)
            for label, target in self.graph.steps(state)
            for following in row[self.kind[target]]
        ]

    def granted(self, node: Node) -> int:
        """The wishes that a node grants."""
        state, q = divmod(node, self.width)
        ready = self.graph.ready[state]
        return self.by_place[q] | sum(wish for bit, wish in self.by_ready if not ready >> bit & 1)

    # --- components ------------------------------------------------------------------------------------------------

    def targets(self, node: Node) -> list[Node]:
        """The nodes that a node leads to, each once."""
        state, q = divmod(node, self.width)
        row, kind, width = self.rows[q], self.kind, self.width
        return [way * width + following for way in self.graph.ways[state] for following in row[kind[way]]]

    def is_good(self, component: list[Node]) -> bool:
        """It has a step, and its nodes and steps grant every wish."""
        granted = 0
        for node in component:
            granted |= self.granted(node)
        missing = self.all_wishes & ~granted
        if missing & ~sum(self.by_label.values()) or (missing and len(component) == 1):
            return False
        inside = set(component)
        for node in component:
            for label, target in self.steps(node):
                if target in inside:
                    missing &= ~self.by_label.get(label, 0)
                    if not missing:
                        return True
        return False

    # --- paths -----------------------------------------------------------------------------------------------------

    def path(
        self, starts: Iterable[Node], inside: set[Node] | None, ends: Callable[[int, Node], bool]
    ) -> tuple[Node, list[tuple[int, Node]]]:
        """A shortest path of one step or more to a step that `ends`; where it starts, and its labels and nodes."""
        before: dict[Node, tuple[int, Node]] = {}
        seen = set(starts)
        queue = deque(starts)
        while queue:
            node = queue.popleft()
            # To stay comes first: a step that changes nothing can often be left out.
            for label, target in sorted(self.steps(node), key=lambda step: step[1] // self.width != node // self.width):
                if inside is not None and target not in inside:
                    continue
                if ends(label, target):
                    found = [(label, target)]
                    while node in before:
                        label, target = before[node]
                        found.append((label, node))
                        node = target
                    return node, found[::-1]
                if target not in seen:
                    seen.add(target)
                    before[target] = (label, node)
                    queue.append(target)
        raise AssertionError("no path in a component")

    def lasso(self) -> Lasso | None:
        """A run that is accepted and fair, with a stem that is as short as can be; None if there is none."""
        good: dict[Node, int] = {}
        parts: list[set[Node]] = []
        for component in components(self.initial, self.targets, self.most):
            if self.is_good(component):
                good |= dict.fromkeys(component, len(parts))
                parts.append(set(component))
        if not good:
            return None
        entry = next((n for n in self.initial if n in good), None)
        stem: list[tuple[int, Node]] = []
        if entry is None:
            _, stem = self.path(self.initial, None, lambda _, n: n in good)
            entry = stem[-1][1]
        return rolled(Lasso(self.shown(stem), self.shown(self.loop(entry, parts[good[entry]]))), self.graph.first)

    def loop(self, entry: Node, inside: set[Node]) -> list[tuple[int, Node]]:
        """A short way round: always on to the nearest thing that is still wished for, and then back."""
        found: list[tuple[int, Node]] = []
        at = entry
        missing = self.all_wishes & ~self.granted(entry)
        while missing:
            _, more = self.path([at], inside, partial(self.grants, missing))
            found += more
            at = more[-1][1]
            for label, node in more:
                missing &= ~(self.by_label.get(label, 0) | self.granted(node))
        if at != entry or not found:
            found += self.path([at], inside, lambda _, n: n == entry)[1]
        return found

    def grants(self, wishes: int, label: int, node: Node) -> bool:
        return bool(wishes & (self.by_label.get(label, 0) | self.granted(node)))

    def shown(self, steps: Iterable[tuple[int, Node]]) -> tuple[Step, ...]:
        return tuple(Step(label, node // self.width) for label, node in steps)


def rolled(lasso: Lasso, first: int) -> Lasso:
    """The same run with a shorter stem: as long as the last steps of stem and loop are the same, the loop starts one earlier."""
    stem, loop = list(lasso.stem), list(lasso.loop)
    while stem:
        before = (stem[-2].state if len(stem) > 1 else first, loop[-2].state if len(loop) > 1 else stem[-1].state)
        if stem[-1] != loop[-1] or before[0] != before[1]:
            break
        loop.insert(0, loop.pop())
        stem.pop()
    return Lasso(tuple(stem), tuple(loop))


def shorter(lasso: Lasso, first: int) -> Iterator[Lasso]:
    """Lassos with the same loop that start it when they first come by its start, or later; the shortest first."""
    start = lasso.stem[-1].state if lasso.stem else first
    for n, state in enumerate((first, *(s.state for s in lasso.stem))):
        if state == start:
            yield Lasso(lasso.stem[:n], lasso.loop)


def _mask(facts: Iterable[int]) -> int:
    return sum(1 << f for f in facts)
