"""The arena in Promela, for SPIN.

One process whose loop has one option for each call: each action with each choice of arguments that the size allows.  An
option is a `d_step`, which SPIN takes as one transition without states in between; a choice of arguments inside would be
such a state, so the text is written out for each.  What an option needs on the way is `hidden`, hence no part of the
state.  The invariants are an option too: the loop asserts them wherever one is broken.

    python benchmarks/arena/promela.py p2r2b1s3 [A|B]
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

from counts import Size, size_of

FREE, VMAR, MAPPING = 0, 1, 2
SHARED, RESTRICTED, UNIFIED = 1, 2, 3


def both(conditions: Iterable[str]) -> str:
    return "(" + " && ".join(conditions) + ")"


def either(conditions: Iterable[str]) -> str:
    return "(" + " || ".join(conditions) + ")"


class Promela:
    """One size, perhaps with a planted fault."""

    def __init__(self, size: Size, fault: str = "") -> None:
        self.size = size
        self.fault = fault
        self.slots = range(size.regions)
        self.spaces = range(size.spaces)
        self.masks = range(2**size.rights)
        self.has_slot = either(f"kind[{i}] == {FREE}" for i in self.slots)
        self.has_space = either(f"role[{a}] == {FREE}" for a in self.spaces)
        self.has_regions = f"(role[0] == {SHARED} || role[0] == {RESTRICTED})"

    def text(self) -> str:
        options = "\n".join(f"  :: d_step {{ {guard} -> {effect} }}" for guard, effect in self.options())
        fault = f", fault {self.fault}" if self.fault else ""
        return (
            f"/* The arena, size {self.size}{fault}. */\n{self.declarations()}\n{self.procedures()}\n"
            f"active proctype arena() {{\n  do\n{options}\n  od\n}}\n"
        )

    def declarations(self) -> str:
        r, s = self.size.regions, self.size.spaces
        return (
            f"byte kind[{r}], base[{r}], pages[{r}], up[{r}], rights[{r}];  /* regions; up: 0 is the root, i + 1 slot i */\n"
            f"byte role[{s}], window[{s}], shared[{s}], restricted[{s}];\n"
            f"hidden byte slot, i, k, rounds, end; hidden byte gone[{r}];\n"
        )

    def procedures(self) -> str:
        below = "up[k] == x + 1" if self.fault == "B" else "up[k] != 0 && gone[up[k] - 1]"
        return f"""
inline free_slot() {{ slot = 0; do :: kind[slot] != 0 -> slot++ :: else -> break od }}
inline free_space() {{ slot = 0; do :: role[slot] != 0 -> slot++ :: else -> break od }}
inline fill(k_, b_, n_, v_, m_) {{ kind[slot] = k_; base[slot] = b_; pages[slot] = n_; up[slot] = v_; rights[slot] = m_ }}
inline blank(x) {{ kind[x] = 0; base[x] = 0; pages[x] = 0; up[x] = 0; rights[x] = 0 }}
inline remove(x) {{  /* slot x and all below it */
  k = 0; do :: k < {self.size.regions} -> gone[k] = 0; k++ :: else -> break od;
  gone[x] = 1;
  rounds = 1;
  do
  :: rounds < {self.size.regions} ->
     k = 0;
     do
     :: k < {self.size.regions} -> if :: {below} -> gone[k] = 1 :: else fi; k++
     :: else -> break
     od;
     rounds++
  :: else -> break
  od;
  k = 0; do :: k < {self.size.regions} -> if :: gone[k] -> blank(k) :: else fi; k++ :: else -> break od
}}
inline unmap(v, low, high) {{  /* no child changes what another one meets */
  i = 0;
  do
  :: i < {self.size.regions} ->
     if
     :: kind[i] != 0 && up[i] == v && base[i] < high && low < base[i] + pages[i] ->
        end = base[i] + pages[i];
        if
        :: low <= base[i] && end <= high -> remove(i)
        :: base[i] < low ->
           pages[i] = low - base[i];
           if
           :: high < end -> free_slot(); fill({MAPPING}, high, end - high, v, rights[i])
           :: else
           fi
        :: low <= base[i] && high < end -> base[i] = high; pages[i] = end - high
        fi
     :: else
     fi;
     i++
  :: else -> break
  od
}}
"""

    # --- conditions ------------------------------------------------------------------------------------------------

    def meets(self, i: int, v: int, low: int, high: int) -> str:
        """Slot `i` is a child of container `v` (0: the root) that shares a page with [low, high)."""
        return f"(kind[{i}] != 0 && up[{i}] == {v} && base[{i}] < {high} && {low} < base[{i}] + pages[{i}])"

    def room(self, v: int, low: int, high: int) -> str:
        if v == 0:
            return "true"
        own = v - 1
        return f"(kind[{own}] == {VMAR} && base[{own}] <= {low} && {high} <= base[{own}] + pages[{own}])"

    def allowed(self, v: int, mask: int) -> str:
        return "true" if v == 0 or mask == 0 else f"((rights[{v - 1}] & {mask}) == {mask})"

    def sound(self) -> str:
        """The invariants."""
        parts = []
        for i in self.slots:
            inside = [f"(up[{i}] == 0 && base[{i}] + pages[{i}] <= {self.size.pages})"]
            inside += [
                f"(up[{i}] == {v + 1} && kind[{v}] == {VMAR} && base[{v}] <= base[{i}]"
                f" && base[{i}] + pages[{i}] <= base[{v}] + pages[{v}] && (rights[{i}] & rights[{v}]) == rights[{i}])"
                for v in self.slots
                if v != i
            ]
            parts.append(f"(kind[{i}] == 0 || {either(inside)})")
            parts += [
                f"(kind[{i}] == 0 || kind[{j}] == 0 || up[{i}] != up[{j}]"
                f" || base[{i}] + pages[{i}] <= base[{j}] || base[{j}] + pages[{j}] <= base[{i}])"
                for j in self.slots[:i]
            ]
        parts += [
            f"(role[{u}] != {UNIFIED} || (role[shared[{u}]] == {SHARED} && role[restricted[{u}]] == {RESTRICTED}"
            f" && window[shared[{u}]] != window[restricted[{u}]]))"
            for u in self.spaces
        ]
        return both(parts)

    # --- options ---------------------------------------------------------------------------------------------------

    def options(self) -> Iterator[tuple[str, str]]:
        """Guard and effect of everything that can happen."""
        yield f"!{self.sound()}", "assert(false)"
        yield from self.of_spaces()
        for v in range(self.size.regions + 1):
            for low in range(self.size.pages):
                for high in range(low + 1, self.size.pages + 1):
                    yield self.unmaps(v, low, high)
                    yield from self.additions(v, low, high)
        for i in self.slots:
            yield from self.protections(i)
            yield f"{self.has_regions} && kind[{i}] == {VMAR}", f"remove({i}); k = 0"

    def of_spaces(self) -> Iterator[tuple[str, str]]:
        for role in (SHARED, RESTRICTED):
            for window in (0, 1):
                yield self.has_space, f"free_space(); role[slot] = {role}; window[slot] = {window}"
        for s in self.spaces:
            for r in self.spaces:
                if s != r:
                    alone = both(f"!(role[{u}] == {UNIFIED} && restricted[{u}] == {r})" for u in self.spaces)
                    yield (
                        f"role[{s}] == {SHARED} && role[{r}] == {RESTRICTED} && window[{s}] != window[{r}]"
                        f" && {self.has_space} && {alone}",
                        f"free_space(); role[slot] = {UNIFIED}; shared[slot] = {s}; restricted[slot] = {r}",
                    )
        for a in self.spaces:
            unused = both(f"!(role[{u}] == {UNIFIED} && (shared[{u}] == {a} || restricted[{u}] == {a}))" for u in self.spaces)
            effect = [f"role[{a}] = 0; window[{a}] = 0; shared[{a}] = 0; restricted[{a}] = 0"]
            effect += [f"blank({i})" for i in self.slots if a == 0]
            yield f"role[{a}] != 0 && {unused}", "; ".join(effect)

    def unmaps(self, v: int, low: int, high: int) -> tuple[str, str]:
        some = either(self.meets(i, v, low, high) for i in self.slots)
        allowed = both(
            f"(!{self.meets(i, v, low, high)} || ({low} <= base[{i}] && base[{i}] + pages[{i}] <= {high})"
            f" || (kind[{i}] == {MAPPING} && (!(base[{i}] < {low} && {high} < base[{i}] + pages[{i}]) || {self.has_slot})))"
            for i in self.slots
        )
        return both((self.has_regions, self.room(v, low, high), some, allowed)), f"unmap({v}, {low}, {high}); i = 0"

    def additions(self, v: int, low: int, high: int) -> Iterator[tuple[str, str]]:
        empty = both(f"!{self.meets(i, v, low, high)}" for i in self.slots)
        for kind in (VMAR, MAPPING):
            unmet = "true" if self.fault == "A" and kind == MAPPING else empty
            for mask in self.masks:
                guard = (self.has_regions, self.has_slot, self.room(v, low, high), self.allowed(v, mask), unmet)
                yield both(guard), f"free_slot(); fill({kind}, {low}, {high - low}, {v}, {mask})"

    def protections(self, i: int) -> Iterator[tuple[str, str]]:
        for mask in self.masks:
            parents = [f"up[{i}] == 0"]
            parents += [f"(up[{i}] == {v + 1} && (rights[{v}] & {mask}) == {mask})" for v in self.slots if v != i]
            guard = (self.has_regions, f"kind[{i}] == {MAPPING}", f"rights[{i}] != {mask}", either(parents))
            yield both(guard), f"rights[{i}] = {mask}"


if __name__ == "__main__":
    print(Promela(size_of(sys.argv[1]), "".join(sys.argv[2:])).text())
