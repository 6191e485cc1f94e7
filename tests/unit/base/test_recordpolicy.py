from __future__ import annotations

import pytest

from sipcc.recordpolicy import Consent, RecordingRules, RecordPolicy, RecordWhen, is_drawn


def policy(when: RecordWhen, **rules: object) -> RecordPolicy:
    return RecordPolicy(when=when, rules=RecordingRules(**rules))  # type: ignore[arg-type]


@pytest.mark.parametrize("percent", [0, 1, 10, 37.5, 99, 100])
def test_a_sample_is_as_large_as_was_asked_for(percent: float) -> None:
    calls = [f"call-{number:016x}" for number in range(20_000)]
    drawn = [call for call in calls if is_drawn(call, percent)]
    assert len(drawn) / 200 == pytest.approx(percent, abs=1.0)
    assert drawn == [call for call in calls if is_drawn(call, percent)]
    assert all(is_drawn(call, min(100, percent + 5)) for call in drawn)  # a larger one has it in it


@pytest.mark.parametrize(
    ("when", "rules", "wants", "announces", "may"),
    [
        (False, {"prompt": "recorded"}, False, False, False),
        (True, {}, True, False, True),
        (True, {"prompt": "recorded"}, True, True, True),
        ("on_demand", {}, False, False, True),
        ("on_demand", {"prompt": "recorded"}, False, True, True),
        ("sample", {"percent": 0, "prompt": "recorded"}, False, False, True),
        ("sample", {"percent": 100, "prompt": "recorded"}, True, True, True),
    ],
)
def test_what_is_recorded_and_told(
    when: RecordWhen, rules: dict[str, object], wants: bool, announces: bool, may: bool
) -> None:
    found = policy(when, **rules)
    assert (found.wants("call-1"), found.announces("call-1"), found.may_record) == (wants, announces, may)


@pytest.mark.parametrize(
    ("rules", "enough"),
    [
        ({}, {"", "announced", "given"}),
        ({"prompt": "recorded"}, {"announced", "given"}),
        ({"prompt": "recorded", "key": "1"}, {"given"}),
        ({"key": "1"}, {"given"}),
    ],
)
def test_which_consent_is_enough(rules: dict[str, object], enough: set[Consent]) -> None:
    known: tuple[Consent, ...] = ("", "announced", "given", "blocked")
    assert {consent for consent in known if policy(True, **rules).is_satisfied(consent)} == enough


@pytest.mark.parametrize(
    ("days", "consented", "consent", "kept"),
    [
        (30, False, "", 30),
        (90, False, "announced", 90),
        (180, False, "", 180),
        (3650, False, "", 180),
        (3650, False, "announced", 180),
        (3650, False, "given", 3650),
        (3650, True, "", 3650),
        (30, True, "given", 30),
    ],
)
def test_more_than_half_a_year_needs_consent(days: int, consented: bool, consent: Consent, kept: int) -> None:
    assert policy(True, retention_days=days, consented=consented).days(consent) == kept
