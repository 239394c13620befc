"""The states of a scope and the steps between them, as far as properties of runs ask: what is searched for lassos.

Two ways lead to it, with the same graph at their end: `plain_graph` by the contract's interpreter, here, and compiled code, in
`edges`.  A step that changes nothing leads back to its state.  A state that nothing leads on from, because no call is possible
or each runs into an assertion, stays what it is for ever.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from vmaspace.checker.logic.code import evaluator
from vmaspace.checker.logic.propositions import Fact

if TYPE_CHECKING:
    from vmaspace.checker.engines.explore.plain import PlainSearch

Key = tuple[int, ...]
WORD_BITS = 64
LABEL_BITS = 8
STAYS, ENDS = 0, 255  # labels of steps that change nothing; any other is an operation, counted from 1
FIRST_OPERATION = 1


@dataclass(frozen=True, slots=True)
class Question:
    """What the graph shall tell of every state: which facts it has, and which of these operations can change it."""

    facts: tuple[Fact, ...]
    fair: tuple[str, ...]

    @property
    def words(self) -> int:
        """Words that hold the facts of one state."""
        return -(-len(self.facts) // WORD_BITS)


@dataclass
class Graph:
    """Steps of state n: `edges[offsets[n]:offsets[n + 1]]`, each a state above LABEL_BITS bits of label.

    There are none where all steps leave the scope.
    `facts`, so many words a state, is a set of bits in the order of the question; so are `ready`, a word, which operations can
    change the state, and `inside`, which can do so without leaving the scope.  `key` gives the packed state of a number.
    """

    first: int
    question: Question
    key: Callable[[int], Key]
    offsets: array[int] = field(default_factory=lambda: array("Q", [0]))
    edges: array[int] = field(default_factory=lambda: array("Q"))
    facts: array[int] = field(default_factory=lambda: array("Q"))
    ready: array[int] = field(default_factory=lambda: array("Q"))
    inside: array[int] = field(default_factory=lambda: array("Q"))

    @property
    def states(self) -> int:
        return len(self.offsets) - 1

    @property
    def memory(self) -> int:
        """Bytes that the graph takes."""
        return 8 * (len(self.offsets) + len(self.edges) + len(self.facts) + 2 * len(self.ready))

    def is_cut(self, fair: int) -> bool:
        """Whether steps that leave the scope could matter to a run, with these operations, as bits, being fair."""
        ends = any(self.offsets[n] == self.offsets[n + 1] for n in range(self.states))
        return ends or any((r ^ i) & fair for r, i in zip(self.ready, self.inside, strict=True))

    def closed(self) -> Graph:
        """As if nothing led out of the scope: a run may stop at its border."""
        found = Graph(self.first, self.question, self.key, facts=self.facts, ready=self.inside, inside=self.inside)
        for n in range(self.states):
            own = self.edges[self.offsets[n] : self.offsets[n + 1]]
            found.edges.extend(own or [edge(n, ENDS)])
            found.offsets.append(len(found.edges))
        return found

    @cached_property
    def known(self) -> Sequence[int]:
        """The facts of every state as one set of bits."""
        words = self.question.words
        if words == 1:
            return self.facts
        starts = range(0, self.states * words, words)
        return [sum(w << WORD_BITS * i for i, w in enumerate(self.facts[n : n + words])) for n in starts]

    @cached_property
    def ways(self) -> list[tuple[int, ...]]:
        """The states that every state leads to, each once."""
        edges, offsets = self.edges, self.offsets
        return [
            tuple(dict.fromkeys(e >> LABEL_BITS for e in edges[offsets[n] : offsets[n + 1]])) for n in range(self.states)
        ]

    def steps(self, state: int) -> list[tuple[int, int]]:
        """Labels and states that a state leads to."""
        found = self.edges[self.offsets[state] : self.offsets[state + 1]]
        return [(e & (1 << LABEL_BITS) - 1, e >> LABEL_BITS) for e in found]


def edge(target: int, label: int) -> int:
    return target << LABEL_BITS | label


def plain_graph(search: PlainSearch, question: Question) -> Graph:
    """The graph over the states of a search that is done."""
    graph = Graph(0, question, search.keys.__getitem__)
    labels = {name: i for i, name in enumerate(search.contract.operations, FIRST_OPERATION)}
    tests = [(evaluator(f.term), dict(f.elements)) for f in question.facts]
    for number, key in enumerate(search.keys):
        state = search.layout.from_working(search.layout.unpack(key))
        found: set[int] = set()
        ready = inside = 0
        is_cut = False
        for m in search.witness.moves(state):
            bit = 1 << question.fair.index(m.operation) if m.operation in question.fair else 0
            if not search.layout.holds(m.state):
                is_cut = True
                ready |= bit
                continue
            target = search.numbers[search.key(m.state)]
            if target == number:
                found.add(edge(number, STAYS))
            else:
                found.add(edge(target, labels[m.operation]))
                ready, inside = ready | bit, inside | bit
        if not found and not is_cut:
            found.add(edge(number, ENDS))
        graph.edges.extend(sorted(found))
        graph.offsets.append(len(graph.edges))
        graph.ready.append(ready)
        graph.inside.append(inside)
        values = [bool(test(state, state, elements)) for test, elements in tests]
        graph.facts.extend(as_words(values, question.words))
    return graph


def as_words(values: Sequence[bool], words: int) -> list[int]:
    total = sum(1 << i for i, value in enumerate(values) if value)
    return [total >> WORD_BITS * i & (1 << WORD_BITS) - 1 for i in range(words)]
