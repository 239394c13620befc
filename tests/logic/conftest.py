"""A tiny vocabulary for generated formulas and states."""

import pytest

from vmaspace.checker.language.check import check
from vmaspace.checker.language.parser import parse
from vmaspace.checker.logic.elaborate import elaborate

TEXT = """
statuses { OK = 0 }
enum Colour { red, green, blue }
flags Bits { one, two, three }
sort Item
var up: Item -> Item
var at: Item -> address
var colour: Item -> Colour
var bits: Item -> Bits
var near: Item, Item -> bool
var level: Item, address -> Bits
var total: int
"""


@pytest.fixture(scope="session")
def tiny():
    return elaborate(check(parse({"tiny.aspec": TEXT})))
