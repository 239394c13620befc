------------------------------- MODULE Arena -------------------------------
(* The arena in TLA+, for TLC; tla.py writes the constants of a size.

   Regions are numbered from 1, and 0 is the root.  TLC counts a successor once for each way in which a formula
   finds it.  So only arguments of calls are bound by \E over primed formulas; what is asked of a state is a
   set that is empty or not, or an IF, and never a disjunction or an \E of its own.  No symmetry is declared. *)
EXTENDS Naturals

CONSTANTS PAGES, REGIONS, RIGHTS, SPACES, FaultA, FaultB
VARIABLES region, space

Slots  == 1..REGIONS
Spaces == 0..(SPACES - 1)
All    == 2^RIGHTS - 1
Masks  == 0..All
HasBit(mask, i) == (mask \div 2^i) % 2 = 1
Subsets == [many \in Masks |->
              {few \in Masks : \A i \in 0..(RIGHTS - 1) : HasBit(few, i) => HasBit(many, i)}]

NoRegion == [kind |-> "free", base |-> 0, pages |-> 0, up |-> 0, rights |-> 0]
NoSpace  == [role |-> "free", window |-> 0, shared |-> 0, restricted |-> 0]

Init == /\ region = [i \in Slots |-> NoRegion]
        /\ space = [a \in Spaces |-> NoSpace]
-----------------------------------------------------------------------------
Live == {i \in Slots : region[i].kind # "free"}
Children(v) == {i \in Live : region[i].up = v}
IsContainer(v) == IF v = 0 THEN TRUE ELSE region[v].kind = "vmar"
Low(v)     == IF v = 0 THEN 0 ELSE region[v].base
End(i)     == region[i].base + region[i].pages
High(v)    == IF v = 0 THEN PAGES ELSE End(v)
Ceiling(v) == IF v = 0 THEN All ELSE region[v].rights
Meets(i, low, high)  == region[i].base < high /\ low < End(i)
Fits(i, low, high)   == low <= region[i].base /\ End(i) <= high
Splits(i, low, high) == region[i].base < low /\ high < End(i)

FreeSlots  == Slots \ Live
FreeSlot   == CHOOSE i \in FreeSlots : \A j \in FreeSlots : i <= j
FreeSpaces == {a \in Spaces : space[a].role = "free"}
FreeSpace  == CHOOSE a \in FreeSpaces : \A b \in FreeSpaces : a <= b
HasRegions == space[0].role \in {"shared", "restricted"}

RECURSIVE Closure(_)
Closure(set) == LET more == {i \in Live \ set : region[i].up \in set}
                IN IF more = {} THEN set ELSE Closure(set \cup more)
Below(set) == IF FaultB THEN set \cup {i \in Live : region[i].up \in set} ELSE Closure(set)
-----------------------------------------------------------------------------
Add(kind) ==
  /\ FreeSlots # {}
  /\ \E v \in 0..REGIONS : IsContainer(v) /\
       LET children == Children(v)
           new == FreeSlot
       IN \E low \in Low(v)..(High(v) - 1) : \E high \in (low + 1)..High(v) :
            /\ IF FaultA /\ kind = "mapping" THEN TRUE ELSE {i \in children : Meets(i, low, high)} = {}
            /\ \E wanted \in Subsets[Ceiling(v)] :
                 region' = [region EXCEPT ![new] =
                   [kind |-> kind, base |-> low, pages |-> high - low, up |-> v, rights |-> wanted]]
  /\ UNCHANGED space

Unmap ==
  /\ \E v \in 0..REGIONS : IsContainer(v) /\
       LET children == Children(v)
       IN children # {} /\ \E low \in Low(v)..(High(v) - 1) : \E high \in (low + 1)..High(v) :
            LET met   == {i \in children : Meets(i, low, high)}
                whole == {i \in met : Fits(i, low, high)}
                cut   == met \ whole
                split == {i \in cut : Splits(i, low, high)}
                gone  == Below(whole)
                new   == FreeSlot
            IN /\ met # {}
               /\ {i \in cut : region[i].kind # "mapping"} = {}
               /\ IF split = {} THEN TRUE ELSE FreeSlots # {}
               /\ region' = [i \in Slots |->
                    IF i \in gone THEN NoRegion
                    ELSE IF i \in cut /\ region[i].base < low
                      THEN [region[i] EXCEPT !.pages = low - region[i].base]
                    ELSE IF i \in cut
                      THEN [region[i] EXCEPT !.base = high, !.pages = End(i) - high]
                    ELSE IF split # {} /\ i = new
                      THEN LET old == CHOOSE j \in split : TRUE
                           IN [region[old] EXCEPT !.base = high, !.pages = End(old) - high]
                    ELSE region[i]]
  /\ UNCHANGED space

Protect ==
  /\ \E i \in Live : region[i].kind = "mapping" /\
       \E wanted \in Subsets[Ceiling(region[i].up)] :
         /\ wanted # region[i].rights
         /\ region' = [region EXCEPT ![i].rights = wanted]
  /\ UNCHANGED space

DestroyVmar ==
  /\ \E v \in Live : region[v].kind = "vmar" /\
       LET gone == Below({v})
       IN region' = [i \in Slots |-> IF i \in gone THEN NoRegion ELSE region[i]]
  /\ UNCHANGED space

Create ==
  /\ FreeSpaces # {}
  /\ \E role \in {"shared", "restricted"}, window \in {0, 1} :
       space' = [space EXCEPT ![FreeSpace] = [NoSpace EXCEPT !.role = role, !.window = window]]
  /\ UNCHANGED region

CreateUnified ==
  /\ FreeSpaces # {}
  /\ \E s, r \in Spaces :
       /\ space[s].role = "shared"
       /\ space[r].role = "restricted"
       /\ space[s].window # space[r].window
       /\ {u \in Spaces : space[u].role = "unified" /\ space[u].restricted = r} = {}
       /\ space' = [space EXCEPT ![FreeSpace] = [role |-> "unified", window |-> 0, shared |-> s, restricted |-> r]]
  /\ UNCHANGED region

Destroy ==
  \E a \in Spaces :
    /\ space[a].role # "free"
    /\ {u \in Spaces : space[u].role = "unified" /\ a \in {space[u].shared, space[u].restricted}} = {}
    /\ space' = [space EXCEPT ![a] = NoSpace]
    /\ region' = IF a = 0 THEN [i \in Slots |-> NoRegion] ELSE region

Next == \/ Create \/ CreateUnified \/ Destroy
        \/ HasRegions /\ (Add("vmar") \/ Add("mapping") \/ Unmap \/ Protect \/ DestroyVmar)

Spec == Init /\ [][Next]_<<region, space>>
-----------------------------------------------------------------------------
SiblingsAreDisjoint ==
  \A i, j \in Live : i < j /\ region[i].up = region[j].up => ~Meets(i, region[j].base, End(j))
ChildrenLieInsideTheirParent ==
  \A i \in Live : IsContainer(region[i].up) /\ Low(region[i].up) <= region[i].base /\ End(i) <= High(region[i].up)
RightsOnlyShrinkDownwards == \A i \in Live : region[i].rights \in Subsets[Ceiling(region[i].up)]
UnifiedSpacesHaveTheirConstituents ==
  \A u \in Spaces : space[u].role = "unified" =>
    LET s == space[space[u].shared]
        r == space[space[u].restricted]
    IN s.role = "shared" /\ r.role = "restricted" /\ s.window # r.window
=============================================================================
