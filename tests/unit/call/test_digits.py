"""The digit collector, its buffer and its matchers, rule by rule."""

import pytest

from sipcc.call.digits import (
    MAX_TYPED_AHEAD,
    Answer,
    Collected,
    Collector,
    CollectSettings,
    DigitBuffer,
    LengthMatcher,
    Matcher,
    OptionsMatcher,
    State,
    matcher_for,
)
from sipcc.call.keybuffer import Press

DEFAULT = CollectSettings()


def collector(matcher: Matcher | None = None, buffer: DigitBuffer | None = None, **settings) -> Collector:
    return Collector(
        CollectSettings(**settings), matcher or LengthMatcher(4), DigitBuffer() if buffer is None else buffer
    )


def press(target: Collector | DigitBuffer, digits: str, *, at: float = 0.0) -> None:
    for digit in digits:
        target.key_began(digit, now=at)
        target.key_ended(digit, now=at)


def outcome(core: Collector) -> tuple[str, str, str] | None:
    return core.result and (core.result.outcome, core.result.digits, core.result.ended_with)


class TestTimers:
    def test_timeout_runs_from_the_end_of_the_prompt(self):
        core = collector(timeout=5)
        core.start(prompt_playing=True, now=100.0)
        assert core.deadline is None
        core.prompt_ended(now=110.0)
        assert core.deadline == 115.0
        core.expire(now=115.0)
        assert outcome(core) == ("noinput", "", "")
        assert core.deadline is None

    def test_timeout_runs_from_the_start_without_a_prompt(self):
        core = collector(timeout=5)
        core.start(prompt_playing=False, now=100.0)
        assert core.deadline == 105.0

    def test_first_key_cancels_timeout_for_good(self):
        core = collector(timeout=5, interdigit=3)
        core.start(prompt_playing=False, now=0.0)
        press(core, "1", at=4.9)
        assert core.deadline == pytest.approx(7.9)
        press(core, "2", at=7.0)
        assert core.deadline == 10.0

    def test_prompt_end_after_a_key_does_not_start_timeout(self):
        core = collector(timeout=1, interdigit=3, bargein=False)
        core.start(prompt_playing=True, now=0.0)
        press(core, "1", at=2.0)
        assert core.deadline == 5.0
        core.prompt_ended(now=3.0)
        assert core.deadline == 5.0

    def test_partial_digits_end_in_nomatch_never_noinput(self):
        core = collector(interdigit=3)
        core.start(prompt_playing=False, now=0.0)
        press(core, "12", at=1.0)
        core.expire(now=4.0)
        assert outcome(core) == ("nomatch", "12", "")

    def test_match_ends_in_match_when_no_more_comes(self):
        core = collector(LengthMatcher(2, 6), interdigit=3)
        core.start(prompt_playing=False, now=0.0)
        press(core, "12", at=1.0)
        assert core.state is State.MATCHED
        core.expire(now=4.0)
        assert outcome(core) == ("match", "12", "")

    def test_final_ends_at_once(self):
        core = collector()
        core.start(prompt_playing=False, now=0.0)
        press(core, "12345", at=1.0)
        assert outcome(core) == ("match", "1234", "")

    def test_termtimeout_swallows_a_terminator(self):
        buffer = DigitBuffer()
        core = collector(buffer=buffer, termtimeout=0.5)
        core.start(prompt_playing=False, now=0.0)
        press(core, "1234", at=1.0)
        assert core.result is None
        assert core.deadline == 1.5
        press(core, "#", at=1.25)
        assert outcome(core) == ("match", "1234", "#")
        assert len(buffer) == 0

    def test_termtimeout_leaves_another_key_for_the_next_question(self):
        buffer = DigitBuffer()
        core = collector(buffer=buffer, termtimeout=0.5)
        core.start(prompt_playing=False, now=0.0)
        press(core, "12345", at=1.0)
        assert outcome(core) == ("match", "1234", "")
        assert [p.digit for p in buffer.presses] == ["5"]

    def test_termtimeout_runs_out(self):
        core = collector(termtimeout=0.5)
        core.start(prompt_playing=False, now=0.0)
        press(core, "1234", at=1.0)
        core.expire(now=1.5)
        assert outcome(core) == ("match", "1234", "")

    @pytest.mark.parametrize(
        ("typed", "expected"),
        [
            ("", ("noinput", "", "")),
            ("1", ("nomatch", "1", "")),
            ("12", ("match", "12", "")),
        ],
    )
    def test_max_time_decides_with_what_is_there(self, typed, expected):
        core = collector(LengthMatcher(2, 9), max_time=4, interdigit=60)
        core.start(prompt_playing=True, now=0.0)
        press(core, typed, at=1.0)
        assert core.deadline == 4.0
        core.expire(now=4.0)
        assert outcome(core) == expected

    def test_max_time_stops_even_a_prompt_without_barge_in(self):
        core = collector(LengthMatcher(1), max_time=4, bargein=False)
        core.start(prompt_playing=True, now=0.0)
        press(core, "1", at=1.0)
        assert core.result is None
        core.expire(now=4.0)
        assert core.barged
        assert outcome(core) == ("match", "1", "")

    def test_late_key_does_not_undo_a_timer_that_was_due(self):
        core = collector(timeout=5)
        core.start(prompt_playing=False, now=0.0)
        press(core, "1", at=5.5)
        assert outcome(core) == ("noinput", "", "")


class TestHeldKeys:
    def test_a_held_key_stops_the_timers(self):
        core = collector(LengthMatcher(1), timeout=5, interdigit=3)
        core.start(prompt_playing=False, now=0.0)
        core.key_began("1", now=4.5)
        core.expire(now=6.0)
        assert core.result is None
        core.key_ended("1", now=6.5)
        assert outcome(core) == ("match", "1", "")

    def test_a_lost_end_counts_as_let_go_and_is_ignored_later(self):
        buffer = DigitBuffer()
        core = collector(LengthMatcher(1), buffer, interdigit=3)
        core.start(prompt_playing=False, now=0.0)
        core.key_began("1", now=1.0)
        core.expire(now=4.0)
        assert outcome(core) == ("match", "1", "")
        core.key_ended("1", now=4.2)
        assert len(buffer) == 0

    def test_a_second_key_ends_the_first(self):
        buffer = DigitBuffer()
        buffer.key_began("1", now=0.0)
        buffer.key_began("2", now=0.5)
        buffer.key_ended("1", now=0.6)
        buffer.key_ended("2", now=0.7)
        assert list(buffer.presses) == [Press("1", 0.0, 0.5), Press("2", 0.5, 0.7)]

    def test_an_end_without_a_beginning_is_a_press(self):
        buffer = DigitBuffer()
        buffer.key_ended("7", now=2.0)
        assert list(buffer.presses) == [Press("7", 2.0, 2.0)]

    def test_max_time_takes_the_held_key(self):
        core = collector(LengthMatcher(1), max_time=2)
        core.start(prompt_playing=False, now=0.0)
        core.key_began("8", now=1.5)
        core.expire(now=2.0)
        assert outcome(core) == ("match", "8", "")

    def test_key_held_over_the_start_skips_the_prompt(self):
        buffer = DigitBuffer()
        buffer.key_began("1", now=0.0)
        core = collector(LengthMatcher(1), buffer)
        core.start(prompt_playing=True, now=0.1)
        assert core.barged
        core.key_ended("1", now=0.2)
        assert outcome(core) == ("match", "1", "")


class TestTerminators:
    @pytest.mark.parametrize(
        ("matcher", "typed", "expected"),
        [
            (LengthMatcher(2, 4), "1#", ("nomatch", "1", "#")),
            (LengthMatcher(2, 4), "12#", ("match", "12", "#")),
            (LengthMatcher(2, 4), "#", ("nomatch", "", "#")),
            (LengthMatcher(0, 4), "#", ("match", "", "#")),
            (OptionsMatcher({"#", "1"}), "#", ("match", "#", "")),
            (OptionsMatcher({"1", "1#"}), "1#", ("match", "1#", "")),
            (OptionsMatcher({"1", "12"}), "1#", ("match", "1", "#")),
        ],
    )
    def test_terminator(self, matcher, typed, expected):
        core = collector(matcher)
        core.start(prompt_playing=False, now=0.0)
        press(core, typed)
        assert outcome(core) == expected

    def test_no_terminators(self):
        core = collector(LengthMatcher(2, 4), terminators="")
        core.start(prompt_playing=False, now=0.0)
        press(core, "12#")
        assert outcome(core) == ("nomatch", "12#", "")

    def test_a_set_of_terminators(self):
        core = collector(LengthMatcher(1, 4, "0123456789"), terminators="*#")
        core.start(prompt_playing=False, now=0.0)
        press(core, "1*")
        assert outcome(core) == ("match", "1", "*")


class TestBargeIn:
    def test_key_start_stops_the_prompt_and_key_end_collects(self):
        core = collector(LengthMatcher(1))
        core.start(prompt_playing=True, now=0.0)
        core.key_began("1", now=2.0)
        assert core.barged
        assert core.result is None
        core.key_ended("1", now=2.1)
        assert outcome(core) == ("match", "1", "")

    def test_without_barge_in_the_result_waits_for_the_prompt(self):
        core = collector(LengthMatcher(1), bargein=False)
        core.start(prompt_playing=True, now=0.0)
        press(core, "1", at=2.0)
        assert not core.barged
        assert core.result is None
        assert core.deadline is None
        core.prompt_ended(now=9.0)
        assert outcome(core) == ("match", "1", "")

    def test_without_barge_in_older_keys_are_discarded(self):
        buffer = DigitBuffer()
        press(buffer, "12")
        buffer.key_began("3", now=0.5)
        core = collector(LengthMatcher(1), buffer, bargein=False, timeout=5)
        core.start(prompt_playing=True, now=1.0)
        core.key_ended("3", now=1.1)
        core.prompt_ended(now=2.0)
        assert core.result is None
        assert core.deadline == 7.0

    def test_without_a_prompt_nothing_is_discarded_or_barged(self):
        buffer = DigitBuffer()
        press(buffer, "1")
        core = collector(LengthMatcher(1), buffer, bargein=False)
        core.start(prompt_playing=False, now=1.0)
        assert outcome(core) == ("match", "1", "")
        assert not core.barged

    def test_a_deaf_question_drops_what_is_typed_in_such_a_prompt(self):
        core = collector(LengthMatcher(1), bargein=False, deaf=True, timeout=5)
        core.start(prompt_playing=True, now=0.0)
        press(core, "12", at=1.0)
        core.key_began("3", now=2.0)  # and held beyond the end
        assert not core.touched
        core.prompt_ended(now=3.0)
        core.key_ended("3", now=3.5)
        assert (outcome(core), core.deadline) == (None, 8.0)
        press(core, "3", at=4.0)
        assert outcome(core) == ("match", "3", "")

    def test_a_prompt_may_be_closed_again(self):
        core = collector(LengthMatcher(1), deaf=True, timeout=5)
        core.start(prompt_playing=True, now=0.0, opens_after=1.0, turns=(2.0, 3.0))
        press(core, "1", at=0.5)
        press(core, "2", at=2.5)
        assert (core.barged, core.touched, core.deadline) == (False, False, 3.0)
        press(core, "3", at=3.5)
        assert (core.barged, outcome(core)) == (True, ("match", "3", ""))

    def test_what_is_typed_while_it_is_closed_cuts_it_when_it_opens(self):
        core = collector(LengthMatcher(1))
        core.start(prompt_playing=True, now=0.0, turns=(2.0, 4.0))
        press(core, "1", at=2.5)
        assert (core.barged, core.result, core.deadline) == (False, None, 4.0)
        core.expire(now=4.0)
        assert (core.barged, outcome(core)) == (True, ("match", "1", ""))

    def test_a_prompt_that_ends_closed_is_open_then(self):
        core = collector(LengthMatcher(1), deaf=True, timeout=5)
        core.start(prompt_playing=True, now=0.0, turns=(2.0,))
        press(core, "1", at=2.5)
        core.prompt_ended(now=4.0)
        assert (core.result, core.deadline) == (None, 9.0)
        press(core, "2", at=5.0)
        assert outcome(core) == ("match", "2", "")

    def test_a_deaf_question_hears_keys_once_a_prompt_may_be_cut(self):
        core = collector(LengthMatcher(1), deaf=True)
        core.start(prompt_playing=True, now=0.0, opens_after=2.0)
        press(core, "1", at=1.0)
        core.expire(now=2.0)
        assert not core.barged
        press(core, "2", at=2.5)
        assert (core.barged, outcome(core)) == (True, ("match", "2", ""))

    def test_interdigit_runs_while_the_prompt_still_plays(self):
        core = collector(LengthMatcher(2), bargein=False, interdigit=3)
        core.start(prompt_playing=True, now=0.0)
        press(core, "1", at=1.0)
        core.expire(now=4.0)
        press(core, "2", at=5.0)
        core.prompt_ended(now=8.0)
        assert outcome(core) == ("nomatch", "1", "")

    def test_typed_ahead_plays_nothing(self):
        buffer = DigitBuffer()
        press(buffer, "1320")
        chosen = []
        for _ in range(4):
            core = collector(OptionsMatcher("0123"), buffer)
            core.start(prompt_playing=True, now=1.0)
            assert core.barged
            chosen.append(core.result.digits)
        assert chosen == ["1", "3", "2", "0"]

    def test_nomatch_flushes_what_followed(self):
        buffer = DigitBuffer()
        press(buffer, "91")
        core = collector(OptionsMatcher("123"), buffer)
        core.start(prompt_playing=True, now=1.0)
        assert outcome(core) == ("nomatch", "9", "")
        assert len(buffer) == 0


class TestBuffer:
    def test_it_is_capped_and_keeps_the_first(self):
        buffer = DigitBuffer()
        press(buffer, "1" * MAX_TYPED_AHEAD + "2")
        assert len(buffer) == MAX_TYPED_AHEAD
        assert buffer.dropped == 1
        assert {p.digit for p in buffer.presses} == {"1"}

    def test_nothing_shows_secret_digits(self):
        buffer = DigitBuffer()
        press(buffer, "8642")
        core = collector(buffer=buffer, secret=True)
        core.start(prompt_playing=False, now=0.0)
        assert core.result.digits == "8642"
        assert core.result.shown == "****"
        assert "8642" not in repr(core.result) + str(core.result) + repr(buffer)

    def test_open_digits_are_shown(self):
        assert Collected(outcome="match", digits="12").shown == "12"


class TestMatchers:
    @pytest.mark.parametrize(
        ("digits", "answer"),
        [
            ("", Answer.PARTIAL),
            ("1", Answer.PARTIAL),
            ("12", Answer.MATCH),
            ("1234", Answer.FINAL),
            ("12345", Answer.NO),
            ("1#", Answer.NO),
        ],
    )
    def test_length(self, digits, answer):
        assert LengthMatcher(2, 4).check(digits) is answer

    @pytest.mark.parametrize(
        ("digits", "answer"),
        [
            ("", Answer.PARTIAL),
            ("1", Answer.MATCH),
            ("12", Answer.FINAL),
            ("2", Answer.PARTIAL),
            ("20", Answer.PARTIAL),
            ("200", Answer.FINAL),
            ("13", Answer.NO),
            ("2000", Answer.NO),
        ],
    )
    def test_options(self, digits, answer):
        assert OptionsMatcher(["1", "12", "200"]).check(digits) is answer

    def test_matcher_for_a_number_of_keys(self):
        matcher = matcher_for((1, 3), allowed="0123456789*#", terminators="#")
        assert matcher.check("12*") is Answer.FINAL
        assert matcher.check("#") is Answer.NO
        assert matcher_for(2, allowed="01", terminators="").check("01") is Answer.FINAL

    @pytest.mark.parametrize("wrong", [(-1, 2), (3, 2), (0, 0)])
    def test_impossible_lengths(self, wrong):
        with pytest.raises(ValueError, match="cannot be typed"):
            LengthMatcher(*wrong)

    @pytest.mark.parametrize("allowed", ["", "12x"])
    def test_impossible_keys(self, allowed):
        with pytest.raises(ValueError, match="allowed keys"):
            LengthMatcher(1, 2, allowed)

    @pytest.mark.parametrize("options", [[], [""], ["1x"]])
    def test_impossible_options(self, options):
        with pytest.raises(ValueError, match="option"):
            OptionsMatcher(options)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"timeout": -1},
            {"interdigit": float("inf")},
            {"termtimeout": float("nan")},
            {"max_time": 0},
            {"terminators": "x"},
        ],
    )
    def test_impossible_settings(self, wrong):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            CollectSettings(**wrong)


class TestAPromptThatOpensLater:
    def test_what_was_typed_before_it_is_forgotten(self):
        buffer = DigitBuffer()
        press(buffer, "1", at=0)
        machine = collector(OptionsMatcher({"1"}), buffer)
        machine.start(prompt_playing=True, opens_after=2, now=1)
        assert machine.result is None
        assert not machine.barged
        assert len(buffer) == 0

    def test_a_key_in_the_closed_part_cuts_at_the_moment_it_opens(self):
        machine = collector(OptionsMatcher({"12"}))
        machine.start(prompt_playing=True, opens_after=2, now=0)
        press(machine, "1", at=1)
        assert not machine.barged
        assert machine.deadline == 2
        machine.expire(now=2)
        assert machine.barged
        assert machine.result is None

    def test_an_answer_in_the_closed_part_is_given_when_it_opens(self):
        machine = collector(OptionsMatcher({"1"}))
        machine.start(prompt_playing=True, opens_after=2, now=0)
        press(machine, "1", at=1)
        assert machine.result is None
        machine.expire(now=2)
        assert machine.barged
        assert machine.result is not None
        assert machine.result.digits == "1"

    def test_a_key_in_the_open_part_cuts_at_once(self):
        machine = collector(OptionsMatcher({"1"}))
        machine.start(prompt_playing=True, opens_after=2, now=0)
        machine.key_began("1", now=3)
        assert machine.barged

    def test_the_end_of_the_prompt_comes_before_it_opens(self):
        machine = collector(OptionsMatcher({"1"}))
        machine.start(prompt_playing=True, opens_after=2, now=0)
        machine.prompt_ended(now=1)
        assert machine.deadline == 6
        assert not machine.barged

    def test_without_barge_in_it_never_opens(self):
        machine = collector(OptionsMatcher({"1"}), bargein=False)
        machine.start(prompt_playing=True, opens_after=2, now=0)
        press(machine, "1", at=1)
        machine.expire(now=3)
        assert machine.result is None


def test_keys_behind_a_wrong_one_are_kept_with_resync():
    for resync, kept in ((False, 0), (True, 2)):
        buffer = DigitBuffer()
        press(buffer, "912", at=0)
        machine = collector(OptionsMatcher({"12"}), buffer, resync=resync)
        machine.start(prompt_playing=False, now=1)
        assert machine.result is not None
        assert machine.result.outcome == "nomatch"
        assert len(buffer) == kept


def test_who_speaks_is_not_silent():
    machine = collector(OptionsMatcher({"1"}))
    machine.start(prompt_playing=False, now=0)
    machine.voice_began(now=4)
    assert machine.deadline is None
