"""Ranges of addresses and offsets worth trying: at, over, between and just off what is there.

The contract's words for places are known here: what a region's parent, base and size are, what an offset is relative to, where
root-table slots begin.  Whatever this proposes is only a proposal; the judge knows nothing of it.
"""

from __future__ import annotations

from vmaspace.checker.engines.fuzz.dice import Dice
from vmaspace.checker.logic.contract import Contract, Operation
from vmaspace.checker.logic.execute import Env
from vmaspace.checker.logic.state import NULL, State

WORD = 1 << 64
PAGE = 4096
OBEDIENT_PERCENT = 92  # how often flags and offsets are made to agree with each other and with the region

Span = tuple[int, int]  # [low, high)


class Places:
    """Proposes ranges for one contract."""

    def __init__(self, contract: Contract) -> None:
        flags = contract.flags.get("VmarFlags", {})
        perms = contract.flags.get("Perms", {})
        self.bit = {name: 1 << bit for name, bit in flags.items()}
        self.trio = sum(self.bit.get(f"can_map_{name}", 0) for name in ("read", "write", "execute"))
        self.needs = [(1 << perms[n], self.bit.get(f"can_map_{n}", 0)) for n in ("read", "write", "execute") if n in perms]
        self.execute = 1 << perms["execute"] if "execute" in perms else 0
        self.types = contract.enums.get("Type", ())
        self.shares = contract.enums.get("ShareOpt", ())
        self.is_riscv = "riscv64" in contract.enums.get("Arch", ()) and contract.enums["Arch"].index("riscv64")

    # --- flags that agree with the region --------------------------------------------------------------------------

    def restrain(self, op: Operation, env: Env, v: int, state: State, dice: Dice) -> None:
        """Drop what the region does not allow anyway, and one of two flags that exclude each other."""
        allowed = state.tables["flags"].get(v, 0)
        if "perms" in env and dice.chance(OBEDIENT_PERCENT):
            for perm, need in self.needs:
                if env["perms"] & perm and not allowed & need:
                    env["perms"] &= ~perm
        if "flags" not in env:
            return
        flags = env["flags"]
        specific = self.bit["specific"] | self.bit["specific_overwrite"]
        limit = self.bit["offset_is_upper_limit"]
        if dice.chance(OBEDIENT_PERCENT):
            flags &= ~(self.trio & ~allowed)
        if flags & specific and dice.chance(OBEDIENT_PERCENT):
            flags &= ~limit
        if not allowed & self.bit["can_map_specific"] and dice.chance(OBEDIENT_PERCENT):
            flags &= ~(specific | limit)
        env["flags"] = flags

    # --- ranges below a region -------------------------------------------------------------------------------------

    def below(self, op: Operation, env: Env, v: int, state: State, dice: Dice) -> None:
        """A base or an offset, and a size, inside or about region `v`."""
        t = state.tables
        base = t["base"].get(v, 0)
        whole = (base, base + t["size"].get(v, 0))
        is_new = "offset" in env
        flags = env.get("flags", 0)
        over = flags & self.bit["specific_overwrite"] if is_new else True
        low, size = self.span(v, whole, state, dice, dice.chance(75 if over else 20))
        low, size = blunder(low, size, dice)
        env["size"] = size % WORD
        if not is_new:
            env["base"] = low % WORD
            return
        offset = low - base
        if flags & self.bit["offset_is_upper_limit"]:
            offset += size if dice.chance(70) else 0
        elif not flags & (self.bit["specific"] | self.bit["specific_overwrite"]) and dice.chance(OBEDIENT_PERCENT):
            offset = 0
            if dice.chance(60):
                env["size"] = (1 + dice.below(4)) * PAGE
        env["offset"] = offset % WORD

    def span(self, v: int, whole: Span, state: State, dice: Dice, is_over: bool) -> tuple[int, int]:
        """A low end and a size in bytes, page aligned if what is there is."""
        if dice.chance(6):
            return self.about(whole, dice)
        inner = self.regions_below(v, state, dice.chance(70))
        if is_over and inner:
            return self.over(dice.late(inner), inner, dice)
        return self.between(whole, inner, dice)

    @staticmethod
    def regions_below(v: int, state: State, is_direct: bool) -> list[Span]:
        """What lies below `v`, its children or everything, in address order."""
        t = state.tables
        if is_direct:
            found = [r for r, parent in t["parent"].items() if parent == v]
        else:
            found = [r for r, s in t["under"] if s == v and r != v]
        bases, sizes = t["base"], t["size"]
        return sorted((bases.get(r, 0), bases.get(r, 0) + sizes.get(r, 0)) for r in found)

    @staticmethod
    def over(target: Span, inner: list[Span], dice: Dice) -> tuple[int, int]:
        """A range that meets, or just misses, what is there."""
        low, high = target
        pages = max(1, (high - low) // PAGE)
        start = dice.pick((low, low, low, low + PAGE, low - PAGE, high - PAGE, low + dice.below(min(pages, 64)) * PAGE))
        match dice.below(5):
            case 0:
                return start, high - start if high > start else PAGE
            case 1:
                return start, high - low
            case 2:
                last = dice.pick(inner)[1]
                return start, last - start if last > start else 2 * PAGE
            case _:
                return start, (1 + dice.below(4)) * PAGE

    @staticmethod
    def between(whole: Span, inner: list[Span], dice: Dice) -> tuple[int, int]:
        """A range in a gap, at one of its ends or all of it, or a page too large."""
        gaps = []
        start = whole[0]
        for low, high in inner:
            if low > start:
                gaps.append((start, low))
            start = max(start, high)
        if whole[1] > start:
            gaps.append((start, whole[1]))
        if not gaps:
            return whole[0], PAGE
        low, high = dice.pick(gaps)
        room = high - low
        size = (1 + dice.below(6)) * PAGE
        match dice.below(10):
            case 0:
                return low, room
            case 1:
                return low, room + PAGE
            case 2:
                return high - size, size
            case 3 | 4:
                return low + (1 + dice.below(3)) * PAGE, size
            case 5:
                return low, min(room, (1 + dice.below(16)) << 16)
            case _:
                return low, size

    @staticmethod
    def about(whole: Span, dice: Dice) -> tuple[int, int]:
        """The whole region, or something at or beyond its ends."""
        low, high = whole
        size = high - low
        return dice.pick((
            (low, size), (low, size - PAGE), (low + PAGE, size - PAGE), (low, size + PAGE), (low - PAGE, 2 * PAGE),
            (high, PAGE), (high - PAGE, PAGE), (high - PAGE, 2 * PAGE), (0, PAGE), (WORD - PAGE, PAGE), (low, PAGE),
        ))  # fmt: skip

    # --- ranges of whole address spaces ----------------------------------------------------------------------------

    def anywhere(self, env: Env, state: State, dice: Dice) -> None:
        """A base and a size for something that lies in nothing: at the start of root-table slots, mostly small."""
        slot = 30 if state.tables["arch"].get((), 0) == self.is_riscv else 39
        is_upper = "share" in env and self.shares[env["share"]] == "shared"
        low = dice.below(3) + 1 if is_upper else dice.below(2)
        base = (low << slot) or dice.pick((0x20_0000, 0x20_0000, 0x20_0000, 0))
        size = (16 + dice.below(64)) * PAGE
        match dice.below(12):
            case 0:
                size = 1 << slot
            case 1:
                size = (1 << 47) - base if slot == 39 else (1 << 38) - base
            case 2:
                size = (1 + dice.below(3)) * PAGE
            case 3:
                base = dice.below(1 << 20) * PAGE
        base, size = blunder(base, size, dice)
        env["base"], env["size"] = base % WORD, size % WORD

    # --- contents --------------------------------------------------------------------------------------------------

    def content(self, op: Operation, env: Env, state: State, dice: Dice) -> None:
        """An offset into what is to be shown; the vDSO's code segment, if code of a vDSO is asked for."""
        if "vmo_offset" not in env or env.get("vmo", NULL) == NULL:
            return
        t, vmo = state.tables, env["vmo"]
        end = t["vmo_size"].get(vmo, 0)
        if t["is_vdso"].get(vmo) and dice.chance(60):
            env["perms"] |= self.execute if dice.chance(80) else 0
            env["vmo_offset"] = t["vdso_code_start"].get((), 0)
            env["size"] = t["vdso_code_size"].get((), 0)
            return
        room = max(0, end - env["size"])
        offset = dice.pick((0, 0, 0, room, dice.below(8) * PAGE, end))
        if dice.chance(4):
            offset = dice.pick((offset + 1, offset + 8, WORD - PAGE, WORD - env["size"], end - PAGE))
        env["vmo_offset"] = offset % WORD


def blunder(low: int, size: int, dice: Dice) -> tuple[int, int]:
    """The same range mostly; sometimes one that no caller should ask for."""
    if not dice.chance(7):
        return low, size
    match dice.below(9):
        case 0:
            return low, 0
        case 1:
            return low + 1, size
        case 2:
            return low, size + 1
        case 3:
            return low, size - 1
        case 4:
            return low, WORD - PAGE
        case 5:
            return low, WORD - 1
        case 6:
            return low, WORD - low
        case 7:
            return low + (1 << dice.below(64)), size
        case _:
            return low, 1 << dice.below(64)
