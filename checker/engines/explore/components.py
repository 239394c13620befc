"""Strongly connected components: Tarjan, "Depth-first search and linear graph algorithms", 1972, without recursion."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

Targets = Callable[[int], Iterable[int]]


class TooMany(Exception):
    """More nodes are reached than were allowed."""


def components(roots: Iterable[int], targets: Targets, most: int) -> Iterator[list[int]]:
    """The components of what the roots reach, those first that lead to none of the later ones; `most` nodes are looked at."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}  # of nodes whose component is not known yet
    waiting: list[int] = []
    for root in roots:
        calls: list[tuple[int, Iterator[int]]] = []
        entered: int | None = root if root not in index else None
        while calls or entered is not None:
            if entered is not None:
                if len(index) == most:
                    raise TooMany
                index[entered] = low[entered] = len(index)
                waiting.append(entered)
                calls.append((entered, iter(targets(entered))))
            node, left = calls[-1]
            entered = _unseen(node, left, index, low)
            if entered is None:
                calls.pop()
                if calls:
                    above = calls[-1][0]
                    low[above] = min(low[above], low[node])
                if low[node] == index[node]:
                    yield _settled(node, waiting, low)


def _unseen(node: int, left: Iterator[int], index: dict[int, int], low: dict[int, int]) -> int | None:
    """The next target that was not seen before; on the way, how far back the node reaches."""
    for target in left:
        if target not in index:
            return target
        if target in low and index[target] < low[node]:
            low[node] = index[target]
    return None


def _settled(node: int, waiting: list[int], low: dict[int, int]) -> list[int]:
    at = len(waiting) - 1
    while waiting[at] != node:
        at -= 1
    found = waiting[at:]
    del waiting[at:]
    for n in found:
        del low[n]
    return found
