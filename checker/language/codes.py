"""The list of diagnostic codes: one line each, never reused.

001-019 the text itself, 020-039 names, 040-059 types and units, 060-079 operations and effects, 080-099 properties.
What a code means to a reader is in `docs/language.md`; a test keeps this list, its uses and that page equal.
"""

from __future__ import annotations

CODES: dict[str, str] = {}


def _code(number: str, line: str) -> str:
    assert number not in CODES, number
    CODES[number] = line
    return number


# The text
UNREADABLE = _code("VMA001", "a file or folder cannot be read")
NOT_TEXT = _code("VMA002", "a file is not UTF-8 text")
TAB = _code("VMA003", "a tab")
BAD_CHARACTER = _code("VMA004", "a character or operator that the language does not have")
UNTERMINATED = _code("VMA005", "a string without its closing quote")
BAD_NUMBER = _code("VMA006", "a number that is not well formed, or too large")
BRACKETS = _code("VMA007", "a bracket without its partner")
NO_ITEM = _code("VMA008", "a line in column 1 that starts no item")
INDENTATION = _code("VMA009", "a line whose indentation fits no block")
SYNTAX = _code("VMA010", "words in an order that the grammar does not have")
CHAIN = _code("VMA011", "comparisons in a chain, or `not` after a tighter operator")
TOO_DEEP = _code("VMA012", "text nested too deeply")
CLAUSE_ORDER = _code("VMA013", "a clause after the first statement of an operation")

# Names
UNKNOWN_NAME = _code("VMA020", "a name that nothing declares")
UNKNOWN_TYPE = _code("VMA021", "a type that nothing declares")
UNKNOWN_STATUS = _code("VMA022", "a status that the contract does not list")
UNKNOWN_OPERATION = _code("VMA023", "an operation that nothing declares")
UNKNOWN_SWITCH = _code("VMA024", "a switch that nothing declares")
DUPLICATE = _code("VMA025", "a name that is declared twice")
SHADOWED = _code("VMA026", "a local name that hides another local name")
AMBIGUOUS = _code("VMA027", "a member name that more than one enumeration or flags type has")
WRONG_USE = _code("VMA028", "a name used as something that it is not")
RECURSION = _code("VMA029", "a definition, constant or effect in terms of itself")
RESERVED = _code("VMA030", "a declaration that takes a word of the language")

# Types
WRONG_TYPE = _code("VMA040", "an expression of the wrong type")
WRONG_UNITS = _code("VMA041", "arithmetic on units that do not go together")
WRONG_ARITY = _code("VMA042", "the wrong number of arguments")
NO_TYPE = _code("VMA043", "an expression whose surroundings do not say its type")
NOT_COMPARABLE = _code("VMA044", "an order between things that have none")
FLAG_USE = _code("VMA045", "a flag where a set of flags is needed, or the other way round")
NOT_CONSTANT = _code("VMA046", "something that changes where a constant is needed")
DIVISOR = _code("VMA047", "a divisor that is not a positive constant")

# Operations and effects
NOT_ASSIGNABLE = _code("VMA060", "an assignment to something that is not state")
CHOICE_IN_FOR = _code("VMA061", "something created or chosen inside `for`")
NOT_NEW = _code("VMA062", "`new` of something that is not made")
RESULT_NOT_MADE = _code("VMA063", "an operation result that is neither created nor picked")
BAD_BOUND = _code("VMA064", "bounds that do not fit their variable")
NO_CHOICE = _code("VMA065", "`some` of something that is not an element of a sort")

# Properties
NO_SENTENCE = _code("VMA080", "a property that does not say what it protects")
NO_SOURCE = _code("VMA081", "a property that does not say where its claim comes from")
OLD_OUTSIDE = _code("VMA082", "`old` where there is no earlier state")
STATUS_OUTSIDE = _code("VMA083", "`status` where no operation has answered")
NUMERIC_QUANTIFIER = _code("VMA084", "a bound number used in a way that cannot be decided")
BAD_SCOPE = _code("VMA085", "a scope that bounds or sets something which it cannot")
BAD_DEVIATION = _code("VMA086", "a deviation that can never be seen")
TEMPORAL_OUTSIDE = _code("VMA087", "`always`, `eventually`, `until` or `leads_to` where one moment is spoken of")
NOT_TEMPORAL = _code("VMA088", "a temporal property that says nothing of a run")

# Raised by `checker/logic/elaborate.py`, after definitions are unfolded.
UNBOUND_TARGET = _code("VMA090", "a `for` variable that the assigned place does not depend on")
PRODUCT = _code("VMA091", "a product of two values that both vary")
