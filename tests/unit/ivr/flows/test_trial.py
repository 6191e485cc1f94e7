"""A changed flow on some callers first: who gets it, and when it is taken back."""

from __future__ import annotations

from sipcc.ivr.flows.model import FlowHead
from sipcc.ivr.flows.run import Playable
from sipcc.ivr.flows.trial import ENOUGH, Trial, begin


def version(name: str) -> Playable:
    return Playable(name="shop", version=name, head=FlowHead())


def test_so_many_of_a_hundred_get_the_new_version_and_a_call_always_the_same() -> None:
    trial = Trial(version("v1"), version("v2"), 5.0)
    chosen = [trial.choose(f"call-{number}").version for number in range(20_000)]
    assert 0.04 < chosen.count("v2") / len(chosen) < 0.06
    assert chosen == [trial.choose(f"call-{number}").version for number in range(20_000)]


def test_an_operator_ends_it() -> None:
    trial = Trial(version("v1"), version("v2"), 5.0)
    trial.state = "promoted"
    assert {trial.choose(str(number)).version for number in range(100)} == {"v2"}
    trial.state = "rolled_back"
    assert {trial.choose(str(number)).version for number in range(100)} == {"v1"}


def test_a_worse_version_is_taken_back_after_enough_calls() -> None:
    trial = Trial(version("v1"), version("v2"), 5.0)
    for number in range(100):
        assert trial.over("v1", fell=number % 10 == 0) == ""
    for _ in range(ENOUGH - 1):
        assert trial.over("v2", fell=True) == ""
    assert trial.over("v0", fell=True) == ""
    assert trial.over("v2", fell=True) == "10 of 10 calls fell back, and 10 of 100 before"
    assert trial.state == "rolled_back"
    assert trial.over("v2", fell=True) == ""
    assert trial.view().tallies["v2"].part == 1.0


def test_a_version_that_is_no_worse_stays() -> None:
    trial = Trial(version("v1"), version("v2"), 5.0)
    for number in range(200):
        trial.over("v1", fell=number % 4 == 0)
        assert trial.over("v2", fell=number % 4 == 0) == ""
    assert trial.state == "trying"


def test_what_a_reload_makes_of_it() -> None:
    v1, v2, v3 = version("v1"), version("v2"), version("v3")
    assert begin(None, v1, 5.0) is None
    assert begin(v1, version("v1"), 5.0) is None
    assert begin(v1, v2, 0.0) is None
    trial = begin(v1, v2, 5.0)
    assert trial is not None
    assert begin(trial, version("v2"), 7.0) is trial
    assert trial.percent == 7.0
    assert begin(trial, v2, 0.0) is None
    again = begin(trial, v3, 5.0)
    assert again is not None
    assert (again.old.version, again.new.version) == ("v1", "v3")
    trial.state = "promoted"
    again = begin(trial, v3, 5.0)
    assert again is not None
    assert again.old.version == "v2"
    assert begin(trial, version("v2"), 5.0) is trial
