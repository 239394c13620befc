"""A contract with little in it, of which runs and proofs are quick: items hang below each other and are finished."""

SMALL = """
statuses { OK = 0, BAD_STATE = -20 }
sort Item
var up: Item -> Item
var done: Item -> bool
var total: int
op make() -> i: Item
  new i: Item
  total = total + 1
op hang(i: Item, j: Item)
  BAD_STATE if up(j) != null or i == j
  up(i) = j
op finish(i: Item)
  BAD_STATE unless up(i) != null and not done(up(i))
  done(i) = true
"""
