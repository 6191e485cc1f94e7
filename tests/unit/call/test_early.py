from __future__ import annotations

import pytest

from sipcc.call.early import NOTHING, RINGBACK, EarlyAudio, Heard


def test_a_promise_without_audio_is_ringing_once_180_comes() -> None:
    early = EarlyAudio("pass")
    early.progress("a", 183, described=True)
    assert early.decide() == NOTHING
    early.progress("a", 180, described=False)
    assert early.decide() == RINGBACK


def test_audio_that_arrives_is_heard_also_after_180() -> None:
    early = EarlyAudio("pass")
    early.progress("a", 180, described=True)
    assert early.decide() == RINGBACK
    early.sounds("a", True)
    assert early.decide() == Heard("far", "a")
    early.sounds("a", False)
    assert early.decide() == RINGBACK
    early.sounds("a", True)
    assert early.decide() == Heard("far", "a")


def test_an_announcement_may_pause_while_nothing_rings() -> None:
    early = EarlyAudio("pass")
    early.progress("a", 183, described=True)
    early.sounds("a", True)
    early.sounds("a", False)
    assert early.decide() == Heard("far", "a")


def test_one_of_several_is_heard_and_the_next_when_it_is_gone() -> None:
    early = EarlyAudio("pass")
    for leg in "ab":
        early.progress(leg, 183, described=True)
    early.sounds("b", True)
    assert early.decide() == Heard("far", "b")
    early.sounds("a", True)
    assert early.decide() == Heard("far", "b")
    early.gone("b")
    assert early.decide() == Heard("far", "a")
    early.gone("a")
    assert early.decide() == NOTHING
    early.gone("a")


@pytest.mark.parametrize("policy", ["tone", "off"])
def test_by_policy_the_far_side_is_not_heard(policy: str) -> None:
    early = EarlyAudio(policy)  # type: ignore[arg-type]
    early.progress("a", 180, described=True)
    early.sounds("a", True)
    assert early.decide() == RINGBACK


@pytest.mark.parametrize(
    ("gate", "sound"), [("sendrecv", "far"), ("sendonly, gated", "far"), ("inactive", "nothing")]
)
def test_the_network_may_forbid_early_audio(gate: str, sound: str) -> None:
    early = EarlyAudio("pass")
    early.progress("a", 183, described=True, gate=gate)
    early.sounds("a", True)
    assert early.decide().sound == sound


def test_audio_of_a_party_that_described_none_is_not_heard() -> None:
    early = EarlyAudio("pass")
    early.progress("a", 183, described=False)
    early.sounds("a", True)
    early.sounds("stranger", True)
    assert early.decide() == NOTHING
