"""The small compiler against Python itself."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vmaspace.checker.logic.packed.native import Native

SOURCE = """
LIMIT = 7


def step(x: Word, k: Word) -> Word:
    if x % 3 == 0 and not (k > 5 or x > 100):
        return x + k
    return -1 if x == k else x - LIMIT


def sums(a: Word, b: Word) -> Word:
    total = 0
    for i in range(a):
        if i == b:
            continue
        if total > 1000:
            break
        total += step(i, b)
    while total > 50:
        total -= 13
    return total


def rounded(a: Word, b: Word) -> Word:
    return (a // 8) * 1000000 + (a % 8) * 1000 + (a // 10) + (a % 10) + (b & ~12 | 1)


def beyond(a: Word, b: Word) -> Word:
    far: Wide = wide(a) + 18446744073709551615
    if far - wide(b) >= 18446744073709551616:
        return narrow(far % 4096)
    return narrow((far // 4096) % 65536)
"""
SMALL = st.integers(-1000, 1000)


@pytest.fixture(scope="module", params=["best", "quick", "improved"])
def functions(request):
    native = Native(SOURCE, ["sums", "rounded", "beyond"], is_quick=request.param != "best")
    if request.param == "improved":
        native.improve()
    assert native.is_best == (request.param != "quick")
    space = {"wide": int, "narrow": int, "Word": int, "Wide": int}
    exec(SOURCE, space)
    return {name: (native.function(name, 2), space[name]) for name in ("sums", "rounded", "beyond")}, native


@pytest.mark.parametrize("name", ["sums", "rounded", "beyond"])
@given(a=SMALL, b=SMALL)
def test_machine_code_computes_what_python_does(functions, name, a, b):
    compiled, python = functions[0][name]
    assert compiled(a, b) == python(a, b)


def test_a_second_start_compiles_nothing(tmp_path):
    first = Native(SOURCE, ["sums"], tmp_path)
    second = Native(SOURCE, ["sums"], tmp_path)
    other = Native(SOURCE.replace("LIMIT = 7", "LIMIT = 8"), ["sums"], tmp_path)
    assert [n.was_cached for n in (first, second, other)] == [False, True, False]
    assert second.function("sums", 2)(20, 3) == first.function("sums", 2)(20, 3)


def test_quick_code_is_kept_until_there_is_better(tmp_path):
    quick = Native(SOURCE, ["sums"], tmp_path, is_quick=True)
    again = Native(SOURCE, ["sums"], tmp_path, is_quick=True)
    assert not quick.was_cached
    assert again.was_cached and not again.is_best
    old = again.function("sums", 2)
    again.improve()
    best = Native(SOURCE, ["sums"], tmp_path, is_quick=True)
    assert best.was_cached and best.is_best
    assert old(20, 3) == again.function("sums", 2)(20, 3) == best.function("sums", 2)(20, 3)


def test_a_cache_that_cannot_be_written_is_no_reason_to_stop(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert Native(SOURCE, ["sums"], tmp_path / "file").function("sums", 2)(3, 9) is not None
