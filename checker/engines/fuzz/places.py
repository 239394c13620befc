"""Ranges of addresses and offsets worth trying: at, over, between and just off what is there.

The contract's words for places are known here: what a region's parent, base and size are, what an offset is
relative to, where root-table slots begin.  Whatever this proposes is only a proposal; the judge knows nothing
of it.
"""

from __future__ import annotations

from collections import Counter

from vmaspace.checker.engines.fuzz.dice import Dice
from vmaspace.checker.engines.fuzz.ranges import PAGE, WORD, Place, about, between, blunder, over
from vmaspace.checker.logic.contract import Contract, Operation
from vmaspace.checker.logic.execute import Env
from vmaspace.checker.logic.state import NULL, State

UNBOUNDED = 1 << 63  # bytes: what is larger has no end that one would come to
MODEST = 64 * PAGE
PASSING = ("unbounded", "discardable", "pager", "trapping_pager")  # whose pages come and go
PASSING_PERCENT = 35  # how often one of these is to be shown
USED_PERCENT = 70  # how often it is one of these that is accessed, where it is shown
WRITTEN_PERCENT = 40  # how often what was to be read is written, where it may be, and one of these may be written
CONTINUING_PERCENT = 25  # of mappings, how many continue one that is there
OBEDIENT_PERCENT = 92  # how often flags and offsets are made to agree with each other and with the region


class Places:
    """Proposes ranges for one contract."""

    def __init__(self, contract: Contract) -> None:
        flags = contract.flags.get("VmarFlags", {})
        perms = contract.flags.get("Perms", {})
        self.bit = {name: 1 << bit for name, bit in flags.items()}
        self.trio = sum(self.bit.get(f"can_map_{name}", 0) for name in ("read", "write", "execute"))
        self.needs = [
            (1 << perms[n], self.bit.get(f"can_map_{n}", 0))
            for n in ("read", "write", "execute")
            if n in perms
        ]
        self.execute, self.write, self.user = (
            1 << perms[name] if name in perms else 0 for name in ("execute", "write", "user_access")
        )
        self.types = contract.enums.get("Type", ())
        self.shares = contract.enums.get("ShareOpt", ())
        kinds = contract.enums.get("Kind", ())
        self.mapping = kinds.index("mapping") if "mapping" in kinds else -1
        kinds = contract.enums.get("VmoKind", ())
        self.physical = kinds.index("physical") if "physical" in kinds else -1
        origins = contract.enums.get("VmoOrigin", ())
        self.discardable = origins.index("discardable") if "discardable" in origins else -1
        self.passing_origins = {i for i, name in enumerate(origins) if name in PASSING}
        self.is_riscv = "riscv64" in contract.enums.get("Arch", ()) and contract.enums["Arch"].index(
            "riscv64"
        )

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

    @staticmethod
    def is_inhabited(state: State) -> bool:
        """Whether any region has children."""
        return bool(state.tables["parent"])

    def inhabited(self, state: State, by_mappings: bool) -> set[int]:
        """The regions that have children, or mappings among them."""
        parents, kinds = state.tables["parent"], state.tables["kind"]
        if by_mappings:
            return {p for r, p in parents.items() if kinds.get(r, 0) == self.mapping}
        return set(parents.values())

    @staticmethod
    def fullest(state: State) -> set[int] | None:
        """The region with the most children; None if none has any."""
        counts = Counter(state.tables["parent"].values())
        return {max(sorted(counts), key=counts.__getitem__)} if counts else None

    def passing(self, state: State, dice: Dice) -> set[int] | None:
        """The objects whose pages come and go, in some of the calls."""
        if not dice.chance(PASSING_PERCENT):
            return None
        return {o for o in state.tables["vmo_origin"] if self.is_passing(o, state)}

    def is_passing(self, o: int, state: State) -> bool:
        """Whether the pages of an object come and go."""
        return state.tables["vmo_origin"].get(o) in self.passing_origins

    def filled(self, env: Env, state: State) -> dict[str, int]:
        """The address space in which a call has put an object whose pages come and go, by its sort."""
        if "v" not in env or not self.is_passing(env.get("vmo", NULL), state):
            return {}
        return {"Aspace": state.tables["aspace"].get(env["v"], 0)}

    def used(self, env: Env, state: State) -> dict[str, int]:
        """The object shown at the address of a call, by its sort, if its pages come and go."""
        t = state.tables
        for m, o in t["object"].items():
            is_here = m in t["parent"] and t["aspace"].get(m, 0) == env["a"] and self.is_passing(o, state)
            if is_here and 0 <= env["at"] - t["base"].get(m, 0) < t["size"].get(m, 0):
                return {"Vmo": o}
        return {}

    @staticmethod
    def shown(state: State) -> set[int]:
        """The objects that something alive shows."""
        t = state.tables
        return {o for m, o in t["object"].items() if m in t["parent"]}

    @staticmethod
    def united(state: State) -> set[int]:
        """The address spaces that are made of others."""
        return set(state.tables["unified"])

    # --- ranges below a region -------------------------------------------------------------------------------------

    def below(self, op: Operation, env: Env, v: int, state: State, dice: Dice) -> None:
        """A base or an offset, and a size, inside or about region `v`."""
        t = state.tables
        base = t["base"].get(v, 0)
        whole = Place(base, base + t["size"].get(v, 0), v)
        is_new = "offset" in env
        flags = env.get("flags", 0)
        over = flags & self.bit["specific_overwrite"] if is_new else True
        low, size = self.span(whole, env, state, dice, dice.chance(80 if over else 20))
        low, size = blunder(low, size, dice)
        env["size"] = size % WORD
        if not is_new:
            env["base"] = low % WORD
            return
        offset = low - base
        if flags & self.bit["offset_is_upper_limit"]:
            offset += size if dice.chance(70) else 0
        elif not flags & (self.bit["specific"] | self.bit["specific_overwrite"]) and dice.chance(
            OBEDIENT_PERCENT
        ):
            offset = 0
            if dice.chance(40):
                env["size"] = (1 + dice.below(4)) * PAGE
        env["offset"] = offset % WORD

    def span(self, whole: Place, env: Env, state: State, dice: Dice, is_over: bool) -> tuple[int, int]:
        """A low end and a size in bytes, page aligned if what is there is."""
        if dice.chance(5):
            return about(whole, dice)
        # What mappings alone have: permissions, and pages.
        shows = "offset" not in env and ("perms" in env or "does" in env)
        inner = self.regions_below(whole.region, state, dice.chance(60), shows)
        if is_over and inner:
            target = dice.late(inner)
            low, size = over(target, inner, dice)
            if shows and "perms" in env and dice.chance(75):
                for place in inner:
                    if place is target or low <= place.low < low + size:
                        self.moderate(env, place, whole.region, state)
        else:
            low, size = between(whole, inner, "perms" not in env and "offset" in env, dice)
        if dice.chance(85):  # what stands out of the region is refused before all else
            low = max(low, whole.low)
            size = max(PAGE, min(size, whole.high - low))
        return low, size

    def moderate(self, env: Env, target: Place, v: int, state: State) -> None:
        """Ask for no more than a mapping may have; below a sub-region, for no more than it has."""
        t = state.tables
        allowed = t["flags"].get(target.region, 0)
        for perm, need in self.needs:
            if not allowed & need:
                env["perms"] &= ~perm
        if t["parent"].get(target.region) != v and target.region in t["prot"]:
            env["perms"] &= t["prot"][target.region].at(target.low)

    def regions_below(self, v: int, state: State, is_direct: bool, only_mappings: bool) -> list[Place]:
        """What lies below `v`, its children or everything, in address order."""
        t = state.tables
        if is_direct:
            found = [r for r, parent in t["parent"].items() if parent == v]
        else:
            found = [r for r, s in t["under"] if s == v and r != v]
        if only_mappings:
            found = [r for r in found if t["kind"].get(r, 0) == self.mapping]
        bases, sizes = t["base"], t["size"]
        return sorted(Place(bases.get(r, 0), bases.get(r, 0) + sizes.get(r, 0), r) for r in found)

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
            case 4 if dice.chance(40):
                base += 1 << dice.below(12)
        base, size = blunder(base, size, dice)
        env["base"], env["size"] = base % WORD, size % WORD

    def may_run_out(self, env: Env, state: State) -> bool:
        """Whether an allocation of this call may be made to fail.

        Not where vDSO code is mapped: the kernel records it before the insertion that may fail and does not take the record back
        (zircon/kernel/vm/vm_address_region.cc, CreateSubVmarInternal), of which the contract does not speak.
        """
        return not (state.tables["is_vdso"].get(env.get("vmo", NULL)) and env.get("perms", 0) & self.execute)

    # --- what is there, by offset or address -----------------------------------------------------------------------

    def inside(self, env: Env, sort: str, state: State, dice: Dice) -> None:
        """An offset, and a size if one is asked for, inside a mapping or an object, or about its ends."""
        t = state.tables
        name = next(name for name in env if name in ("m", "o"))
        whole = t["size" if sort == "Region" else "vmo_size"].get(env[name], 0)
        is_discardable = sort == "Vmo" and t["vmo_origin"].get(env[name]) == self.discardable
        if is_discardable and "size" in env and dice.chance(OBEDIENT_PERCENT):
            env["offset"], env["size"] = 0, whole  # it is locked as a whole, and discarded
            return
        if whole > UNBOUNDED:
            whole = MODEST
        pages = max(1, min(whole // PAGE, 64))
        low = dice.below(pages) * PAGE
        size = dice.pick((PAGE, PAGE, (1 + dice.below(4)) * PAGE, whole - low, whole))
        low, size = blunder(low, min(size, whole - low) if dice.chance(85) else size, dice)
        env["offset"] = low % WORD
        if "size" in env:
            env["size"] = size % WORD

    def mapped(self, state: State, dice: Dice) -> set[int]:
        """The address spaces in which something is mapped; often, something whose pages come and go, if there is any."""
        t = state.tables
        mappings = [m for m, kind in t["kind"].items() if kind == self.mapping and m in t["parent"]]
        return {t["aspace"].get(m, 0) for m in self.often_passing(mappings, state, dice)}

    def often_passing(self, mappings: list[int], state: State, dice: Dice) -> list[int]:
        """Those of some mappings that show pages that come and go, often and if there are any; else all."""
        objects = state.tables["object"]
        passing = [m for m in mappings if self.is_passing(objects.get(m, NULL), state)]
        return passing if passing and dice.chance(USED_PERCENT) else mappings

    def address(self, env: Env, a: int, state: State, dice: Dice) -> None:
        """An address in a mapping of `a`, mostly; with what its protection allows, mostly."""
        t = state.tables
        mappings = [
            r
            for r, kind in t["kind"].items()
            if kind == self.mapping and r in t["parent"] and t["aspace"].get(r, 0) == a
        ]
        if not mappings or dice.chance(12):
            base = t["aspace_base"].get(a, 0)
            env["at"] = dice.pick((base, base + t["aspace_size"].get(a, 0) - 1, base + dice.below(64) * PAGE, 0)) % WORD
            return
        m = dice.late(sorted(self.often_passing(mappings, state, dice)))
        base, size = t["base"].get(m, 0), t["size"].get(m, 0)
        left = t["vmo_size"].get(t["object"].get(m), 0) - t["object_offset"].get(m, 0)
        if 0 < left < size and dice.chance(OBEDIENT_PERCENT):
            size = left  # what lies behind the end of the object has no pages
        page = dice.below(max(1, min(size // PAGE, 32)))
        at = dice.pick((base + page * PAGE, base, base + size - PAGE)) + dice.below(PAGE)
        env["at"] = at % WORD
        perms = t["prot"][m].at(at) if m in t["prot"] else 0
        if "is_write" in env and dice.chance(OBEDIENT_PERCENT):
            env["is_write"] = 1 if perms & self.write and (env["is_write"] or dice.chance(WRITTEN_PERCENT)) else 0
            env["is_fetch"] = 0 if env["is_write"] or not perms & self.execute else env["is_fetch"]
            env["is_user"] = env["is_user"] if perms & self.user else 0

    def continues(self, env: Env, v: int, state: State, dice: Dice) -> bool:
        """What comes next behind a mapping of region `v`, so that the two can become one; False if there is none."""
        t = state.tables
        inner = self.regions_below(v, state, True, True)
        if not inner:
            return False
        low, high, m = dice.late([place for place in inner if t["mergeable"].get(place.region)] or inner)
        env["offset"] = (high - t["base"].get(v, 0)) % WORD
        env["size"] = (1 + dice.below(2)) * PAGE
        env["flags"] = t["flags"].get(m, 0) | self.bit["specific"]
        env["perms"] = t["prot"][m].at(low) if m in t["prot"] else 0
        env["vmo"] = t["object"].get(m, env["vmo"])
        env["vmo_offset"] = (t["object_offset"].get(m, 0) + high - low) % WORD
        return True

    # --- contents --------------------------------------------------------------------------------------------------

    def content(self, op: Operation, env: Env, state: State, dice: Dice) -> None:
        """An offset into what is to be shown; the vDSO's code segment, if code of a vDSO is asked for."""
        if "vmo_offset" not in env or env.get("vmo", NULL) == NULL:
            return
        if dice.chance(CONTINUING_PERCENT) and self.continues(env, env["v"], state, dice):
            return
        t, vmo = state.tables, env["vmo"]
        if self.is_passing(vmo, state) and dice.chance(WRITTEN_PERCENT):
            allowed = t["flags"].get(env["v"], 0)
            env["perms"] |= sum(perm for perm, need in self.needs if perm != self.execute and allowed & need)
        end = t["vmo_size"].get(vmo, 0)
        if t["is_vdso"].get(vmo) and dice.chance(75):
            env["perms"] |= self.execute if dice.chance(85) else 0
            env["vmo_offset"] = t["vdso_code_start"].get((), 0)
            env["size"] = t["vdso_code_size"].get((), 0)
            return
        if t["vmo_kind"].get(vmo) == self.physical and dice.chance(85):
            env["size"] = min(env["size"], end)
            env["vmo_offset"] = dice.pick((0, end - env["size"]))
            return
        room = max(0, end - env["size"])
        offset = dice.pick((0, 0, 0, room, dice.below(8) * PAGE, end))
        if dice.chance(4):
            offset = dice.pick((offset + 1, offset + 8, WORD - PAGE, WORD - env["size"], end - PAGE))
        env["vmo_offset"] = offset % WORD
