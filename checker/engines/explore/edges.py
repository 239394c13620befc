"""The graph of a scope by compiled code: every state of a search is expanded once more, and what it leads to is looked up.

The search itself keeps no steps.  So that only those who ask for runs pay for them, the text here is added to the others where
the contract has properties of runs.  It uses the search's own `emit` and reads what each operation leaves in the buffers.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from vmaspace.checker.engines.explore.graph import (
    ENDS,
    FIRST_OPERATION,
    LABEL_BITS,
    STAYS,
    WORD_BITS,
    Graph,
    Question,
)
from vmaspace.checker.engines.explore.memory import Stretch
from vmaspace.checker.logic.packed.lines import Lines
from vmaspace.checker.logic.packed.program import CUT, INDEX, Program

if TYPE_CHECKING:
    from vmaspace.checker.engines.explore.search import Search

EXPORT = "edges"
ROOM = 1 << 16  # steps after which a round ends
MORE = 1 << 20  # steps that one state may add beyond that
BATCH = 1 << 12  # states of one round

# Words of the job that a round is given.
JOB = ("CONTEXTS", "BASES", "EDGES", "TOTAL", "ENDS_AT", "FACTS", "READY", "INSIDE")
AT = {f"JOB_{name}": i for i, name in enumerate(JOB)}

TEXT = """
def number_of(C: Words, J: Words, h: Word, P: Words) -> Word:
    owner = ((h >> 32) * C[WORKERS]) >> 32
    contexts = words(J[JOB_CONTEXTS])
    bases = words(J[JOB_BASES])
    D = words(contexts[owner])
    found = halves(D[TABLE])[place_of(D, h, P)]
    return -1 if found == 0 else bases[owner] + (found & ((1 << D[SLOT_BITS]) - 1)) - 1


def put_edge(J: Words, first: Word, value: Word) -> Word:
    E = words(J[JOB_EDGES])
    n = J[JOB_TOTAL]
    for i in range(first, n):
        if E[i] == value:
            return 0
    E[n] = value
    J[JOB_TOTAL] = n + 1
    return 1


def collect(C: Words, J: Words, own: Word, first: Word, label: Word) -> Word:
    leaves = 0
    for owner in range(C[WORKERS]):
        entries = words(C[BUFFERS + owner])
        for i in range(C[FILLED + owner]):
            P = words(C[BUFFERS + owner] + (i * ENTRY + 2) * 8)
            target = number_of(C, J, entries[i * ENTRY], P)
            if target == own:
                put_edge(J, first, (own << LABEL_BITS) | STAYS)
            else:
                leaves = 1
                if target >= 0:
                    put_edge(J, first, (target << LABEL_BITS) | label)
        C[FILLED + owner] = 0
    return leaves


def edges(context: Word, job: Word, last: Word) -> Word:
    C = words(context)
    J = words(job)
    S = words(C[WORK])
    T = words(C[WORK_NEXT])
    bases = words(J[JOB_BASES])
    ends = words(J[JOB_ENDS_AT])
    first = C[INDEX]
    for index in range(first, last):
        if J[JOB_TOTAL] >= ROOM:
            return index
        unpack(words(C[STATES] + index * WIDTH * 8), S)
        C[INDEX] = index
        start = J[JOB_TOTAL]
        ready = words(J[JOB_READY] + (index - first) * 8)
        inside = words(J[JOB_INSIDE] + (index - first) * 8)
        tell_facts(S, T, words(J[JOB_FACTS] + (index - first) * FACT_WORDS * 8))
        steps_from(C, J, S, T, bases[C[WORKER]] + index, start, ready, inside)
        ends[index - first] = J[JOB_TOTAL]
    return last
"""


def edges_text(program: Program, question: Question) -> str:
    """What is added to the text of a search that shall give a graph."""
    constants = {
        **AT, "LABEL_BITS": LABEL_BITS, "STAYS": STAYS, "ROOM": ROOM, "FACT_WORDS": question.words,
    }  # fmt: skip
    lines = [f"{name} = {value}" for name, value in constants.items()]
    return "\n\n".join(("\n".join(lines), _steps(program, question), _facts(program, question), TEXT))


def _steps(program: Program, question: Question) -> str:
    """One operation after the other: which states it leads to, and whether it can change anything."""
    body = Lines()
    body.add("ready[0] = 0")
    body.add("inside[0] = 0")
    body.add(f"cut_before = C[{CUT}]")
    body.add("cache = words(C[CACHE])")
    for number, op in enumerate(program.contract.operations.values()):
        quiet = [
            f"C[{program.outcomes[op.name, i]}]"
            for i, o in enumerate(op.outcomes)
            if o.kind != "asserts" and not o.has_effect
        ]
        stays = " + ".join(quiet)
        body.add("cache[WIDTH] = 0")  # what was just sent is sent again
        body.add(f"cut = C[{CUT}]")
        if stays:
            body.add(f"stays = {stays}")
        body.add(f"operation{number}(C, S, T)")
        body.add(f"leaves = collect(C, J, own, start, {number + FIRST_OPERATION})")
        if stays:
            body.open(f"if {stays} != stays:")
            body.add("put_edge(J, start, (own << LABEL_BITS) | STAYS)")
            body.close()
        if op.name in question.fair:
            bit = 1 << question.fair.index(op.name)
            body.open("if leaves != 0:")
            body.add(f"inside[0] = inside[0] | {bit}")
            body.close()
            body.open(f"if leaves != 0 or C[{CUT}] != cut:")
            body.add(f"ready[0] = ready[0] | {bit}")
            body.close()
    body.open(f"if J[JOB_TOTAL] == start and C[{CUT}] == cut_before:")
    body.add(f"put_edge(J, start, (own << LABEL_BITS) | {ENDS})")
    body.close()
    body.add("return 0")
    params = "C: Words, J: Words, S: Words, T: Words, own: Word, start: Word, ready: Words, inside: Words"
    head = f"def steps_from({params}) -> Word:"
    return "\n".join([head, *body.lines, ""])


def _facts(program: Program, question: Question) -> str:
    code = program.code
    parts: list[str] = []
    names: dict[object, str] = {}
    body = Lines()
    for word in range(question.words):
        body.add(f"F[{word}] = 0")
    for i, fact in enumerate(question.facts):
        symbols = sorted(fact.term.symbols, key=lambda s: s.name)
        name = names.get(fact.term)
        if name is None:
            name = names[fact.term] = f"fact{len(names)}"
            params = "".join(f", {code.bind(s)}: {code.kind(s)}" for s in symbols)
            test = Lines()
            test.open(f"if {code.expr(code.fold(fact.term))}:")
            test.add("return 1")
            test.close()
            test.add("return 0")
            parts.append("\n".join([f"def {name}(S: Words, T: Words{params}) -> Word:", *test.lines, ""]))
        numbers = dict(fact.elements)
        values = "".join(f", {numbers[s.name] + 1}" for s in symbols)
        body.add(f"F[{i // WORD_BITS}] = F[{i // WORD_BITS}] | ({name}(S, T{values}) << {i % WORD_BITS})")
    body.add("return 0")
    return "\n\n".join([*parts, "\n".join(["def tell_facts(S: Words, T: Words, F: Words) -> Word:", *body.lines, ""])])


def compiled_graph(search: Search, question: Question, most: int) -> Graph | None:
    """The graph over the states of a search that is done; None if it takes more than `most` bytes."""
    bases = [0]
    for w in search.workers:
        bases.append(bases[-1] + w.count)
    owner, index = search.first % search.jobs, search.first // search.jobs

    def key(number: int) -> tuple[int, ...]:
        at = next(i for i in range(search.jobs) if number < bases[i + 1])
        return search.workers[at].packed(number - bases[at])

    graph = Graph(bases[owner] + index, question, key)
    job = Stretch(8 * len(JOB))
    parts = {
        "CONTEXTS": Stretch(8 * search.jobs), "BASES": Stretch(8 * search.jobs), "EDGES": Stretch(8 * (ROOM + MORE)),
        "ENDS_AT": Stretch(8 * BATCH), "FACTS": Stretch(8 * BATCH * max(1, question.words)), "READY": Stretch(8 * BATCH),
        "INSIDE": Stretch(8 * BATCH),
    }  # fmt: skip
    parts["CONTEXTS"].set_words(0, [w.context.address for w in search.workers])
    parts["BASES"].set_words(0, bases[:-1])
    for name, part in parts.items():
        job.set_words(AT[f"JOB_{name}"], [part.address])
    for w in search.workers:
        w.set("CACHE_MASK", 0)  # one entry, so that it is soon emptied
        done = 0
        while done < w.count:
            job.set_words(AT["JOB_TOTAL"], [0])
            w.context.set_words(INDEX, [done])
            end = search.functions[EXPORT](w.context.address, job.address, min(done + BATCH, w.count))
            _take(graph, parts, end - done, job.words(AT["JOB_TOTAL"], 1)[0])
            done = end
            if graph.memory > most:
                return None
    for part in (job, *parts.values()):
        part.free()
    return graph


def _take(graph: Graph, parts: dict[str, Stretch], states: int, edges: int) -> None:
    """Append what a round has left."""
    before = len(graph.edges)
    ends: array[int] = array("Q")
    ends.frombytes(parts["ENDS_AT"].part(0, 8 * states))
    graph.offsets.extend(before + end for end in ends)
    graph.edges.frombytes(parts["EDGES"].part(0, 8 * edges))
    graph.facts.frombytes(parts["FACTS"].part(0, 8 * states * graph.question.words))
    graph.ready.frombytes(parts["READY"].part(0, 8 * states))
    graph.inside.frombytes(parts["INSIDE"].part(0, 8 * states))
