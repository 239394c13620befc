"""The arena in Murphi, for Rumur.

Rules in rulesets over every argument; the size is in the constants at the top.  Nothing but the regions and spaces is a
variable, and no type is a scalarset: states are counted as they are.  Murphi has no bits, so that a set of rights lies in
another one is asked bit by bit, by division.

    python benchmarks/arena/murphi.py p2r2b1s3 [A|B]
"""

from __future__ import annotations

import sys

from counts import Size, size_of

TEXT = """-- The arena, size @SIZE@@FAULT@.
const
  PAGES: @PAGES@;
  REGIONS: @REGIONS@;
  SPACES: @SPACES@;
  ALL: @ALL@;  -- the rights of the root
type
  Slot: 1..REGIONS;
  Container: 0..REGIONS;  -- 0 is the root
  Page: 0..PAGES;
  Rights: 0..ALL;
  Space: 0..SPACES-1;
  Kind: enum { none, vmar, mapping };
  Role: enum { absent, shared, restricted, unified };
var
  kind: array [Slot] of Kind;
  base: array [Slot] of Page;
  pages: array [Slot] of Page;
  up: array [Slot] of Container;
  rights: array [Slot] of Rights;
  role: array [Space] of Role;
  window: array [Space] of 0..1;
  shared_part: array [Space] of Space;
  restricted_part: array [Space] of Space;

function has_regions(): boolean;
begin
  return role[0] = shared | role[0] = restricted;
end;

function has_slot(): boolean;
begin
  return exists i: Slot do kind[i] = none end;
end;

function has_space(): boolean;
begin
  return exists a: Space do role[a] = absent end;
end;

function is_room(v: Container; low: Page; high: Page): boolean;
begin
  if low >= high then return false; end;
  if v = 0 then return true; end;
  return kind[v] = vmar & base[v] <= low & high <= base[v] + pages[v];
end;

function lies_in(few: Rights; many: Rights): boolean;
begin
  return @LIES_IN@;
end;

function may_have(v: Container; wanted: Rights): boolean;
begin
  if v = 0 then return true; end;
  return lies_in(wanted, rights[v]);
end;

function meets(i: Slot; v: Container; low: Page; high: Page): boolean;
begin
  return kind[i] != none & up[i] = v & base[i] < high & low < base[i] + pages[i];
end;

function fits(i: Slot; low: Page; high: Page): boolean;
begin
  return low <= base[i] & base[i] + pages[i] <= high;
end;

procedure blank(i: Slot);
begin
  kind[i] := none; base[i] := 0; pages[i] := 0; up[i] := 0; rights[i] := 0;
end;

procedure absent_again(a: Space);
begin
  role[a] := absent; window[a] := 0; shared_part[a] := 0; restricted_part[a] := 0;
end;

procedure add(k: Kind; low: Page; high: Page; v: Container; wanted: Rights);
var is_done: boolean;
begin
  is_done := false;
  for i: Slot do
    if !is_done & kind[i] = none then
      kind[i] := k; base[i] := low; pages[i] := high - low; up[i] := v; rights[i] := wanted;
      is_done := true;
    end;
  end;
end;

procedure add_space(r: Role; w: 0..1; s: Space; t: Space);
var is_done: boolean;
begin
  is_done := false;
  for a: Space do
    if !is_done & role[a] = absent then
      role[a] := r; window[a] := w; shared_part[a] := s; restricted_part[a] := t;
      is_done := true;
    end;
  end;
end;

-- Slot x and all below it; in each round one level more.
procedure remove(x: Slot);
var gone: array [Slot] of boolean;
begin
  for i: Slot do gone[i] := i = x; end;
  for round: Slot do
    for i: Slot do
      if up[i] != 0 then
        if gone[up[i]]@BELOW@ then gone[i] := true; end;
      end;
    end;
  end;
  for i: Slot do
    if gone[i] then blank(i); end;
  end;
end;

startstate
begin
  for i: Slot do blank(i); end;
  for a: Space do absent_again(a); end;
end;

ruleset is_shared: boolean; w: 0..1 do
  rule "create" has_space() ==>
  begin
    if is_shared then add_space(shared, w, 0, 0); else add_space(restricted, w, 0, 0); end;
  end;
end;

ruleset s: Space; t: Space do
  rule "create_unified"
    has_space() & role[s] = shared & role[t] = restricted & window[s] != window[t]
    & forall u: Space do role[u] != unified | restricted_part[u] != t end ==>
  begin
    add_space(unified, 0, s, t);
  end;
end;

ruleset a: Space do
  rule "destroy"
    role[a] != absent
    & forall u: Space do role[u] != unified | (shared_part[u] != a & restricted_part[u] != a) end ==>
  begin
    absent_again(a);
    if a = 0 then
      for i: Slot do blank(i); end;
    end;
  end;
end;

ruleset v: Container; low: Page; high: Page; wanted: Rights; is_mapping: boolean do
  rule "allocate_vmar, map"
    has_regions() & has_slot() & is_room(v, low, high) & may_have(v, wanted)
    & (@BLIND@ | forall i: Slot do !meets(i, v, low, high) end) ==>
  begin
    if is_mapping then add(mapping, low, high, v, wanted); else add(vmar, low, high, v, wanted); end;
  end;
end;

ruleset v: Container; low: Page; high: Page do
  rule "unmap"
    has_regions() & is_room(v, low, high)
    & (exists i: Slot do meets(i, v, low, high) end)
    & (forall i: Slot do
         !meets(i, v, low, high) | fits(i, low, high)
         | (kind[i] = mapping & (base[i] >= low | base[i] + pages[i] <= high | has_slot()))
       end) ==>
  var is_met: array [Slot] of boolean;
      end_: Page;
  begin
    for i: Slot do is_met[i] := meets(i, v, low, high); end;
    for i: Slot do
      if is_met[i] then
        end_ := base[i] + pages[i];
        if fits(i, low, high) then
          remove(i);
        elsif base[i] < low then
          pages[i] := low - base[i];
          if high < end_ then add(mapping, high, end_, v, rights[i]); end;
        else
          base[i] := high;
          pages[i] := end_ - high;
        end;
      end;
    end;
  end;
end;

ruleset i: Slot; wanted: Rights do
  rule "protect"
    has_regions() & kind[i] = mapping & wanted != rights[i] & may_have(up[i], wanted) ==>
  begin
    rights[i] := wanted;
  end;
end;

ruleset i: Slot do
  rule "destroy_vmar" has_regions() & kind[i] = vmar ==>
  begin
    remove(i);
  end;
end;

invariant "siblings are disjoint"
  forall i: Slot do forall j: Slot do
    i = j | kind[i] = none | kind[j] = none | up[i] != up[j] | !meets(i, up[j], base[j], base[j] + pages[j])
  end end;

invariant "children lie inside their parent"
  forall i: Slot do kind[i] = none | is_room(up[i], base[i], base[i] + pages[i]) end;

invariant "rights only shrink downwards"
  forall i: Slot do kind[i] = none | may_have(up[i], rights[i]) end;

invariant "unified spaces have their constituents"
  forall u: Space do
    role[u] != unified
    | (role[shared_part[u]] = shared & role[restricted_part[u]] = restricted
       & window[shared_part[u]] != window[restricted_part[u]])
  end;
"""


def murphi(size: Size, fault: str = "") -> str:
    """The model of one size, perhaps with a planted fault."""
    bits = (f"(few / {2**i}) % 2 <= (many / {2**i}) % 2" for i in range(size.rights))
    parts = {
        "SIZE": str(size),
        "FAULT": f", fault {fault}" if fault else "",
        "PAGES": size.pages,
        "REGIONS": size.regions,
        "SPACES": size.spaces,
        "ALL": 2**size.rights - 1,
        "LIES_IN": " & ".join(bits) if size.rights > 1 else "few <= many",
        "BELOW": " & up[i] = x" if fault == "B" else "",
        "BLIND": "is_mapping" if fault == "A" else "false",
    }
    text = TEXT
    for name, value in parts.items():
        text = text.replace(f"@{name}@", str(value))
    return text


if __name__ == "__main__":
    print(murphi(size_of(sys.argv[1]), "".join(sys.argv[2:])))
