"""Properties of runs: each operator with what holds and what does not, fairness, runs that end, and both ways to the graph."""

import pytest

from vmaspace.checker.cli.exploration import only
from vmaspace.checker.engines.explore.run import Explorer, Options
from vmaspace.checker.engines.explore.scopes import explore_all
from vmaspace.checker.engines.explore.temporal import Ground
from vmaspace.checker.engines.replay import replay
from vmaspace.checker.report.cursor import TraceError
from vmaspace.checker.report.narrative import narrate_verdict
from vmaspace.checker.report.trace import Trace
from vmaspace.checker.report.verdict import Kind

MACHINES = """
statuses { OK = 0, BUSY = -1 }
sort Machine
sort Room given
enum Life { made, running, stopped }
var life: Machine -> Life
var place: Machine -> Room
var lamp: bool
op make() -> m: Machine
  new m: Machine
op start(m: Machine, r: Room)
  requires life(m) == made
  life(m) = running
  place(m) = r
op stop(m: Machine)
  BUSY unless life(m) == running "it does not run"
  life(m) = stopped
op flip()
  lamp = not lamp
scope two: 2 Machine, 2 Room
scope counted: 2 Machine, 2 Room, 3 steps
"""

# name, fairness, formula, whether it holds
CLAIMS = [
    ("stopped_for_good", "", "always for m: Machine where life(m) == stopped: always life(m) == stopped", True),
    ("running_for_good", "", "always for m: Machine where life(m) == running: always life(m) == running", False),
    ("nothing_at_first", "", "for m: Machine: always life(m) == running", True),
    ("a_lamp_comes_on", "", "eventually lamp", False),
    ("a_lamp_comes_on_if_fair", "fair flip", "eventually lamp", True),
    ("a_lamp_stays_on", "fair flip", "eventually always lamp", False),
    ("it_flickers", "fair flip", "always (eventually lamp and eventually not lamp)", True),
    ("off_until_on", "fair flip", "not lamp until lamp", True),
    ("off_until_on_in_vain", "", "not lamp until lamp", False),
    ("no_life_until_light", "fair flip", "(not exists m: Machine where life(m) == running) until lamp", False),
    ("what_runs_stops", "", "always for m: Machine: life(m) == running leads_to life(m) == stopped", False),
    ("what_runs_stops_if_fair", "fair stop", "always for m: Machine: life(m) == running leads_to life(m) == stopped", True),
    ("what_stops_runs", "fair start, stop", "always for m: Machine: life(m) == stopped leads_to life(m) == running", False),
    ("all_stop", "fair make, start, stop", "eventually (count m: Machine where life(m) == stopped) == 2", True),
    (
        "rooms_are_kept", "",
        "always for m: Machine, r: Room where place(m) == r, life(m) == running: "
        "not exists s: Room where s != r, eventually place(m) == s",
        True,
    ),
    ("rooms_are_given_up", "", "always for m: Machine: eventually if lamp then place(m) == null else place(m) != null", False),
]  # fmt: skip


def text_of(claims):
    return "".join(f'temporal {name} {fair} "A test." from "a test" {formula}\n' for name, fair, formula, _ in claims)


@pytest.fixture(scope="module")
def machines(contract_of):
    return contract_of(MACHINES + text_of(CLAIMS))


@pytest.fixture(scope="module")
def plain_verdicts(machines):
    return {v.property: v for v in Explorer(machines, machines.scopes["two"], Options(plain=True)).explore()[0]}


@pytest.mark.parametrize(("name", "holds"), [(c[0], c[3]) for c in CLAIMS])
def test_a_claim_holds_or_is_broken(plain_verdicts, name, holds):
    v = plain_verdicts[name]
    assert v.verdict is (Kind.PASSED if holds else Kind.VIOLATED), v.reason
    assert "every run through the 62 states of scope two" in v.scope
    assert (v.trace is None) is holds


def test_a_broken_claim_shows_stem_and_loop(plain_verdicts):
    v = plain_verdicts["what_stops_runs"]
    assert [s.op for s in v.trace.steps[: v.trace.loop]] == ["make", "start", "stop"]
    told = narrate_verdict(v)
    assert "  3. stop(m=machine0) -> OK\n  again and again:\n  4. " in told
    assert "From there, step 4 is taken again and again, for ever." in told
    assert "fair to start, stop" in v.scope


def test_a_trace_with_a_loop_is_replayed(plain_verdicts, machines):
    found = plain_verdicts["what_stops_runs"].trace
    trace = Trace.from_json(found.to_json())
    assert trace == found
    again = replay(trace, machines)
    assert again.verdict is Kind.VIOLATED
    assert "fair to start, stop is not looked at again" in again.notes[0]


def test_a_loop_that_does_not_lead_back_is_not_believed(plain_verdicts, machines):
    data = plain_verdicts["running_for_good"].trace.to_json()
    data["loop"] = 0
    again = replay(Trace.from_json(data), machines)
    assert again.verdict is Kind.FAILED
    assert "does not go round" in again.reason


def test_a_run_that_keeps_the_property_is_no_counterexample(plain_verdicts, machines):
    data = plain_verdicts["a_lamp_comes_on"].trace.to_json()
    data["property"] = "stopped_for_good"
    assert replay(Trace.from_json(data), machines).verdict is Kind.PASSED


@pytest.mark.parametrize(("change", "what"), [({"loop": 99}, "cannot start behind 99"), ({"loop": None}, "it needs a loop")])
def test_a_trace_without_a_place_for_its_loop_is_refused(plain_verdicts, machines, change, what):
    data = {**plain_verdicts["a_lamp_comes_on"].trace.to_json(), **change}
    with pytest.raises(TraceError, match=what):
        replay(Trace.from_json(data), machines)


@pytest.mark.parametrize("jobs", [1, 2])
def test_machine_code_gives_the_same_graph(machines, plain, compiled, jobs):
    runs = Explorer(machines, machines.scopes["two"], Options(plain=True)).runs
    graphs = []
    for make, options in ((plain, {}), (compiled, {"jobs": jobs})):
        search = make(machines, "two", question=runs.question, **options)
        search.run()
        graphs.append(as_sets(search.graph(1 << 30)))
    assert graphs[0] == graphs[1]


def as_sets(graph):
    return graph.key(graph.first), {
        graph.key(n): (graph.known[n], graph.ready[n], graph.inside[n], {(label, graph.key(t)) for label, t in graph.steps(n)})
        for n in range(graph.states)
    }


def test_machine_code_gives_the_same_verdicts(machines, plain_verdicts, cache):
    found = Explorer(machines, machines.scopes["two"], Options(jobs=2, cache=cache)).explore()[0]
    assert {v.property: v.verdict for v in found} == {n: v.verdict for n, v in plain_verdicts.items()}


def test_orbits_are_not_asked_about_runs(machines, plain_verdicts):
    contract = only(machines, ["what_runs_stops", "it_flickers"])
    found, row = Explorer(contract, contract.scopes["two"], Options(plain=True, symmetry=True)).explore()
    assert row["states"] < 62
    for v in found:
        assert "62 states" in v.scope and "states and not orbits" in v.scope
        assert v.verdict is plain_verdicts[v.property].verdict


def test_what_lies_behind_the_border_is_not_known(contract_of):
    """A third machine would leave the scope: a run in which `make` has its turn again and again cannot be followed."""
    formula = "eventually (count m: Machine where life(m) == stopped) == 2"
    c = contract_of(MACHINES + text_of([("all_stop_unless_started", "fair make, stop", formula, None)]))
    (v,) = Explorer(c, c.scopes["two"], Options(plain=True)).explore()[0]
    assert v.verdict is Kind.UNKNOWN and "border of the scope" in v.reason


def test_a_scope_with_counted_steps_cannot_judge(machines):
    contract = only(machines, ["stopped_for_good"])
    (v,) = Explorer(contract, contract.scopes["counted"], Options(plain=True)).explore()[0]
    assert v.verdict is Kind.UNSUPPORTED and "bounds the number of steps" in v.reason
    both = [contract.scopes["counted"], contract.scopes["two"]]
    (v,) = explore_all(contract, both, Options(plain=True))[0]
    assert v.verdict is Kind.PASSED and "counted" not in v.scope


@pytest.mark.parametrize("jobs", [None, 1])
def test_memory_that_runs_out_leaves_it_undecided(machines, cache, jobs):
    contract = only(machines, ["it_flickers"])
    options = Options(plain=jobs is None, jobs=jobs or 1, cache=cache)
    explorer = Explorer(contract, contract.scopes["two"], options)
    result = explorer.search.run()
    object.__setattr__(explorer.options, "memory", 1000)
    (v,) = explorer.judge_runs(result, lambda p: None)
    assert v.verdict is Kind.UNKNOWN and "memory limit" in v.reason


def test_who_interrupts_leaves_the_rest_undecided(machines, monkeypatch):
    contract = only(machines, ["stopped_for_good", "it_flickers", "off_until_on"])
    judge = Ground.judge

    def interrupted(ground, p):
        if p.name == "it_flickers":
            raise KeyboardInterrupt
        return judge(ground, p)

    monkeypatch.setattr(Ground, "judge", interrupted)
    found, row = Explorer(contract, contract.scopes["two"], Options(plain=True)).explore()
    assert [v.verdict for v in found] == [Kind.PASSED, Kind.UNKNOWN, Kind.UNKNOWN]
    assert (row["complete"], row["reason"]) == (False, "interrupted")


ENDING = """
statuses { OK = 0 }
var n: int
op up()
  requires n < 2
  asserts ASSERTED "a kernel assertion"
  n = n + 1
scope all: n in 0..LIMIT
temporal it_gets_there fair up "A test." from "a test" eventually n == 2
temporal it_stays_there "A test." from "a test" always (n == 2 implies always n == 2)
temporal it_goes_on "A test." from "a test" always (n == 2 leads_to n == 0)
temporal it_starts "A test." from "a test" eventually n == 1
"""


def ending(contract_of, asserted="true", limit="2"):
    c = contract_of(ENDING.replace("ASSERTED", asserted).replace("LIMIT", limit))
    return {v.property: v for v in Explorer(c, c.scopes["all"], Options(plain=True)).explore()[0]}


def test_a_run_that_ends_stays_where_it_is(contract_of):
    found = ending(contract_of)
    assert [v.verdict for v in found.values()] == [Kind.PASSED, Kind.PASSED, Kind.VIOLATED, Kind.PASSED]
    trace = found["it_goes_on"].trace
    assert trace.loop == len(trace.steps) == 2
    assert "and nothing more, for ever" in narrate_verdict(found["it_goes_on"])


def test_so_does_one_that_can_only_run_into_an_assertion(contract_of):
    found = ending(contract_of, asserted="n < 1")
    assert found["it_gets_there"].verdict is Kind.VIOLATED and len(found["it_gets_there"].trace.steps) == 1
    assert found["it_starts"].verdict is Kind.PASSED


def test_a_run_that_leaves_the_scope_does_not_end_there(contract_of):
    """At 1 the only step leaves the scope: what comes then is not known, but that is all."""
    found = ending(contract_of, limit="1")
    assert found["it_gets_there"].verdict is Kind.UNKNOWN
    assert found["it_starts"].verdict is found["it_stays_there"].verdict is Kind.PASSED
