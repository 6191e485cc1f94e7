"""The made-up caller: keys, voices and silence in virtual time, through the real collector."""

from typing import get_args, get_type_hints

import pytest

from sipcc.acd.events import Exit
from sipcc.call.destination import Destination
from sipcc.call.digits import CollectSettings, LengthMatcher, OptionsMatcher
from sipcc.errors import CallEnded, CallRejected
from sipcc.ivr.flows.script import ScriptError, parse_script
from sipcc.ivr.lengths import Lengths
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.session import Session
from sipcc.ivr.sim import SimSession, finish
from sipcc.ivr.steps import (
    Conference,
    Enqueue,
    Gather,
    Heard,
    Listen,
    Mark,
    Named,
    Prompt,
    Record,
    Silence,
    Stream,
    Streamed,
    Text,
    Transfer,
    Transferred,
    Value,
    named,
    spoken,
)

MENU = OptionsMatcher({"1", "2", "3", "12"})


def five(bargein="any", hotword=False):
    """A prompt of five seconds."""
    return (Prompt(items=(Silence(5.0),), bargein=bargein, hotword=hotword),)


def ask(script, *, session=None, **fields):
    fields = {"prompts": five(), "keys": LengthMatcher(1), **fields}
    session = session or SimSession(script)
    return finish(session.gather(Gather(**fields))), session


def conforms(session: SimSession) -> Session:
    return session  # mypy's proof that all verbs are there


def test_a_key_cuts_the_prompt_as_soon_as_it_is_asked():
    answer, session = ask("keys 1")
    assert (answer.outcome, answer.keys, answer.barged) == ("keys", "1", True)
    assert answer.played.complete is False
    assert answer.played.seconds == 0.0
    assert session.now() == pytest.approx(0.1)  # a key is heard when it begins, and counts when it ends


def test_silence_runs_the_timer_from_the_end_of_the_prompt():
    answer, session = ask("silence")
    assert answer.outcome == "noinput"
    assert answer.played.complete
    assert session.now() == pytest.approx(10.0)
    assert [(line.at, line.what) for line in session.lines] == [(10.0, "timer"), (10.0, "noinput")]


def test_a_prompt_without_bargein_is_heard_to_its_end_and_the_answer_waits():
    answer, session = ask("wait 1s keys 1", prompts=five("off"))
    assert (answer.outcome, answer.keys, answer.barged) == ("keys", "1", False)
    assert session.now() == pytest.approx(5.0)
    assert answer.played.complete


def test_what_was_typed_before_a_prompt_without_bargein_is_void():
    session = SimSession("at 0s keys 1")
    finish(session.play(five("off")))
    answer, _ = ask("", session=session, prompts=five("off"))
    assert answer.outcome == "noinput"


def test_only_the_first_prompt_is_safe_from_keys():
    prompts = (*five("off"), *five("keys"))
    answer, session = ask("wait 2s keys 1", prompts=prompts)
    assert (answer.keys, answer.barged) == ("1", True)
    assert session.now() == pytest.approx(5.0)
    assert answer.played.seconds == pytest.approx(5.0)
    answer, session = ask("wait 7s keys 1", prompts=prompts)
    assert session.now() == pytest.approx(7.1)
    assert answer.played.seconds == pytest.approx(7.0)


@pytest.mark.parametrize(("script", "at", "outcome", "keys"), [
    ("keys 1", 3.1, "keys", "1"),          # 12 was possible: the time between keys decides
    ("keys 12", 0.3, "keys", "12"),
    ("keys 1 wait 2s keys 2", 2.2, "keys", "12"),
    ("keys 1#", 0.3, "keys", "1"),
    ("keys 9", 0.1, "nomatch", "9"),
])  # fmt: skip
def test_the_timers_are_those_of_the_collector(script, at, outcome, keys):
    answer, session = ask(script, keys=MENU)
    assert (answer.outcome, answer.keys) == (outcome, keys)
    assert session.now() == pytest.approx(at)


def test_max_time_ends_it_all():
    answer, session = ask("", collect=CollectSettings(max_time=3.0))
    assert answer.outcome == "noinput"
    assert session.now() == pytest.approx(3.0)
    assert session.lines[0].text == "max_time"


async def test_nine_levels_by_one_burst_and_nothing_is_played():
    session = SimSession("at 0s keys 132012345")
    await session.wait(2.0)
    got = [(await session.gather(Gather(prompts=named("menu"), keys=LengthMatcher(1)))).keys for _ in "9" * 9]
    assert "".join(got) == "132012345"
    assert session.speech_seconds == 0.0
    assert session.now() == 2.0


def test_each_line_answers_the_next_question():
    async def program(session):
        return [(await session.gather(Gather(prompts=five(), keys=LengthMatcher(1)))) for _ in range(4)]

    session = SimSession("keys 1\nsilence\nkeys 2\n")
    answers = finish(program(session))
    assert [answer.keys or answer.outcome for answer in answers] == ["1", "noinput", "2", "noinput"]


def test_a_line_may_wait_for_a_prompt_to_be_heard():
    session = SimSession("heard welcome keys 1")
    prompts = (Prompt(items=(Named("welcome"), Text("For sales, press one."))),)
    answer, _ = ask("", session=session, prompts=prompts)
    length = Lengths().seconds(Named("welcome"), "en")
    assert answer.played.seconds == pytest.approx(length)
    assert session.said == ["welcome"]


def test_a_line_may_hear_the_question_first():
    answer, session = ask("listen keys 1")
    assert (answer.keys, answer.barged) == ("1", False)
    assert session.now() == pytest.approx(5.1)


def test_a_voice_is_understood_and_cuts_where_it_may():
    listen = Listen(accepts=lambda text: text == "查订单")
    answer, session = ask("wait 1s say 查订单", listen=listen)
    assert answer.outcome == "speech"
    assert answer.heard == (Heard("查订单", 1.0),)
    assert answer.barged
    assert answer.played.seconds == pytest.approx(1.0)
    assert session.now() == pytest.approx(1 + 0.66 + 0.6)
    answer, session = ask("wait 1s say 别的", listen=listen)
    assert answer.outcome == "nomatch"
    assert session.now() == pytest.approx(1 + 0.44 + 1.0)


def test_a_voice_during_a_prompt_for_keys_alone_is_not_heard():
    answer, session = ask("wait 1s say yes", listen=Listen(), prompts=five("keys"))
    assert answer.outcome == "noinput"
    assert session.now() == pytest.approx(10.0)


def test_a_hotword_cuts_and_other_words_do_not():
    listen = Listen(accepts=lambda text: text == "stop")
    prompts = five("speech", hotword=True)
    answer, _ = ask("wait 1s say stop", listen=listen, prompts=prompts)
    assert answer.outcome == "speech"
    assert answer.barged
    answer, _ = ask("wait 1s say well", listen=listen, prompts=prompts)
    assert answer.outcome == "noinput"
    assert answer.played.complete


def test_who_is_not_sure_enough_is_not_understood_and_who_speaks_on_and_on_is_too_long():
    answer, _ = ask("say yes ~0.3", listen=Listen(confidence=0.5))
    assert (answer.outcome, answer.heard[0].confidence) == ("nomatch", 0.3)
    answer, session = ask("say " + "word " * 100, listen=Listen(max_time=4.0))
    assert answer.outcome == "toolong"
    assert session.now() == pytest.approx(4.0)


def test_keys_after_a_voice_have_their_own_timers():
    answer, session = ask("wait 6s say hello wait 100ms keys 12", keys=LengthMatcher(2), listen=Listen())
    assert (answer.outcome, answer.keys) == ("keys", "12")
    assert session.now() == pytest.approx(6.733)


def test_without_keys_to_wait_for_they_are_kept_for_the_next_question():
    answer, session = ask("keys 7", keys=None, listen=Listen())
    assert answer.outcome == "noinput"
    assert answer.played.complete
    assert ask("", session=session)[0].keys == "7"


def test_marks_tell_how_far_it_was_heard():
    items = (Silence(1.0), Mark("one"), Silence(2.0), Mark("two"), Silence(2.0))
    answer, _ = ask("wait 4s keys 1", prompts=(Prompt(items=items),))
    assert answer.played.reached.mark == "two"
    assert answer.played.reached.seconds == pytest.approx(1.0)


def test_hanging_up_ends_every_verb_and_is_told():
    told = []
    session = SimSession("wait 2s hangup")
    session.on_hangup(lambda: told.append(session.now()))
    with pytest.raises(CallEnded):
        finish(session.gather(Gather(prompts=spoken("a long text, read to nobody"), keys=LengthMatcher(1))))
    assert session.exit == "caller"
    assert session.now() == told[0] == pytest.approx(2.0)
    for verb in (session.play(()), session.answer(), session.wait(1), session.enqueue(Enqueue(queue="q"))):
        with pytest.raises(CallEnded):
            finish(verb)
    finish(session.hangup())
    session.on_hangup(lambda: told.append("late"))
    assert told[1:] == ["late"]


def test_secret_keys_and_values_are_in_no_log():
    session = SimSession("keys 493817#")
    finish(
        session.gather(
            Gather(
                prompts=(Prompt(items=(Value("digits", "493817"),), bargein="off"),),
                keys=LengthMatcher(6),
                collect=CollectSettings(secret=True),
            )
        )
    )
    assert "******" in session.report()
    assert "493817" not in session.report()
    assert session.said == ["say:digits"]


def test_a_spoken_secret_is_in_no_log():
    step = Gather(listen=Listen(), collect=CollectSettings(secret=True))
    session = SimSession("say four nine three eight")
    answer = finish(session.gather(step))
    assert answer.secret
    assert "four" not in session.report()


@pytest.mark.parametrize(("script", "ended_by", "seconds", "key"), [
    ("say hello wait 1s keys #", "key", 1.333, "#"),
    ("say hello", "silence", 3.333, ""),
    ("", "noinput", 0.0, ""),
    ("keys 5", "noinput", 0.0, ""),
    ("say hello hangup", "hangup", 0.333, ""),
])  # fmt: skip
def test_a_recording_ends_as_the_step_says(script, ended_by, seconds, key):
    session = SimSession(script)
    recorded = finish(session.record(Record(final_silence=3.0, timeout=4.0, path="x.wav")))
    assert (recorded.ended_by, recorded.key) == (ended_by, key)
    assert recorded.seconds == pytest.approx(seconds)
    assert recorded.path == ("x.wav" if seconds else "")
    assert session.exit == ("caller" if ended_by == "hangup" else "")


def test_a_key_cuts_what_is_said_before_a_recording():
    session = SimSession("at 2s keys 1\nkeys #")
    recorded = finish(session.record(Record(prompts=five("keys"))))
    assert (recorded.ended_by, recorded.path) == ("key", "")
    assert session.now() == pytest.approx(2.4)
    gone = SimSession("at 2s hangup")
    assert finish(gone.record(Record(prompts=five("keys")))).ended_by == "hangup"
    assert gone.exit == "caller"


def test_a_recording_has_a_longest_time():
    session = SimSession("say hello")
    assert finish(session.record(Record(max_time=10.0))).ended_by == "max_time"
    assert session.now() == pytest.approx(10.3)


@pytest.mark.parametrize(("script", "mode", "outcome", "seconds"), [
    ("", "bridge", "far_end", 30.0),
    ("", "blind", "sent", 0.0),
    ("dial=busy", "bridge", "busy", 0.0),
    ("dial=noanswer", "consultation", "noanswer", 0.0),
    ('dial={outcome="answered", seconds=400}', "bridge", "max_time", 60.0),
    ("at 10s keys *", "bridge", "near_end", 5.1),
])  # fmt: skip
def test_transfers_come_out_as_the_script_says(script, mode, outcome, seconds):
    session = SimSession(script)
    step = Transfer(targets=("8001",), mode=mode, max_time=60.0, keys=OptionsMatcher({"*"}))
    result = finish(session.transfer(step))
    assert result.outcome == outcome
    assert result.seconds == pytest.approx(seconds)
    assert (session.human_at is None) == (outcome in ("busy", "noanswer"))


@pytest.mark.parametrize(
    ("script", "outcome"),
    [
        ("at 10s keys **9", "near_end"),  # what begins later may still be right
        ("at 10s keys *\nat 20s keys 9", "far_end"),  # too far apart to belong together
    ],
)
def test_keys_part_two_who_talk_as_in_a_live_call(script, outcome):
    step = Transfer(targets=("8001",), keys=OptionsMatcher({"*9"}))
    assert finish(SimSession(script).transfer(step)).outcome == outcome


def test_a_wrong_outcome_says_which_there_are():
    with pytest.raises(ValueError, match="busy, failed, far_end"):
        finish(SimSession("dial=maybe").transfer(Transfer(targets=("8001",))))


def test_outcomes_are_used_one_after_the_other():
    session = SimSession('queue=full\nqueue={exit="answered", wait=7, agent="ann"}\ncrm={level=3}')
    assert finish(session.enqueue(Enqueue(queue="sales"))).exit == "full"
    for _ in range(2):
        left = finish(session.enqueue(Enqueue(queue="sales")))
        assert (left.exit, left.agent, left.ended_by, left.seconds) == ("answered", "ann", "agent", 7.0)
    assert session.human_at == pytest.approx(17.0)
    assert session.found("crm") == {"level": 3}
    assert session.found("other") is None


def test_a_caller_gives_up_in_the_queue():
    session = SimSession("hangup")
    with pytest.raises(CallEnded):
        finish(session.enqueue(Enqueue(queue="sales")))
    session = SimSession('queue={exit="answered", ended_by="caller"}')
    with pytest.raises(CallEnded):
        finish(session.enqueue(Enqueue(queue="sales")))


def test_what_fills_the_wait_in_a_queue_ends_when_an_agent_answers():
    session = SimSession('queue={exit="answered", wait=12, position=3, size=4}\nkeys 1')
    seen = []

    async def waiting(place):
        while True:
            seen.append((place.position, place.size, place.seconds))
            await session.play(five())
            answer = await session.gather(Gather(keys=LengthMatcher(1)))
            seen.append(answer.keys or answer.outcome)

    left = finish(session.enqueue(Enqueue(queue="sales", waiting=waiting)))
    assert (left.exit, left.seconds, left.agent) == ("answered", 12.0, "agent")
    assert seen[:3] == [(3, 4, 0.0), "1", (3, 4, pytest.approx(5.1))]
    assert session.now() == 72.0


def test_what_fills_the_wait_may_take_the_caller_out_or_return():
    async def leaves(place):
        await session.wait(4)
        place.leave()
        await session.wait(1)  # never comes to an end

    session = SimSession('queue={exit="no_agent", to="queue:other"}')
    left = finish(session.enqueue(Enqueue(queue="sales", waiting=leaves)))
    assert (left.exit, left.seconds, left.to) == ("withdrawn", 4.0, "queue:other")

    async def returns(place):
        await session.wait(2)

    session = SimSession("queue=no_agent")
    left = finish(session.enqueue(Enqueue(queue="sales", waiting=returns)))
    assert (left.exit, left.seconds) == ("no_agent", 10.0)


def test_programs_conferences_and_destinations():
    session = SimSession('stream={ended_by="program", transcript="hello", to="queue:sales", seconds=4}')
    streamed = finish(session.stream(Stream(url="ws://example.com/bot")))
    assert (streamed.transcript, streamed.to, session.now()) == ("hello", "queue:sales", 4.0)
    assert finish(session.conference(Conference(name="room"))) == 60.0
    finish(session.go(Destination.parse("queue:sales")))
    assert session.human_at == pytest.approx(74.0)
    finish(session.go(Destination.parse("hangup")))
    assert session.exit == "normal"
    assert finish(SimSession("stream=lost").stream(Stream(url="ws://example.com/bot"))).ended_by == "lost"


def test_a_destination_is_carried_out_by_who_knows_it():
    async def on_go(session, destination):
        await session.wait(3)
        return destination.kind == "menu"

    session = SimSession(on_go=on_go)
    finish(session.go(Destination.parse("menu:main")))
    assert session.now() == 3.0
    finish(session.go(Destination.parse("queue:sales")))
    assert session.human_at == 16.0


def test_a_call_that_goes_round_for_ever_is_ended():
    async def circle(session):
        while True:
            await session.play(())

    session = SimSession()
    with pytest.raises(CallEnded, match="circle"):
        finish(circle(session))
    assert session.exit == "circle"


def test_refusing_answering_tags_and_logs():
    session = SimSession()
    assert not session.answered
    finish(session.answer())
    session.tag("topic", "sales")
    session.log("found", level=3)
    session.forget_keys()
    assert session.answered
    assert session.tags == {"topic": "sales"}
    assert [str(line) for line in session.lines][-1] == "     0.00 s  log        found level=3"
    assert session.wall() == 1_772_416_800.0
    finish(session.reject(603))
    assert session.exit == "rejected 603"


def test_a_program_that_really_waits_is_not_run_without_a_loop():
    class Forever:
        def __await__(self):
            yield

    async def program():
        await Forever()

    with pytest.raises(RuntimeError, match="on a loop"):
        finish(program())


def test_lengths_are_those_of_the_files_or_estimated():
    lengths = Lengths(PromptCatalogue())
    assert lengths.seconds(Named("agent_lost"), "en") == pytest.approx(4.793)
    assert lengths.seconds(Named("silence:500"), "en") == 0.5
    assert lengths.seconds(Named("not_there"), "en") == Lengths().seconds(Named("not_there"), "en") > 0.3
    assert lengths.seconds(Value("number", "12"), "en") > 0.2
    assert lengths.seconds(Text("您好，请讲。"), "zh-CN") == pytest.approx(4 * 0.22 + 0.6)


def test_a_script_knows_the_exits_and_outcomes_that_there_are():
    for name, field, words in (
        ("queue", "exit", get_args(Exit)),
        ("dial", "outcome", (*get_args(get_type_hints(Transferred)["outcome"]), "answered")),
        ("stream", "ended_by", get_args(get_type_hints(Streamed)["ended_by"])),
    ):
        for word in words:
            assert parse_script(f"{name}={word}").outcomes == {name: (word,)}
        with pytest.raises(ScriptError) as error:
            parse_script(f"{name}=banana")
        assert str(error.value).endswith(
            f"'banana' is no {field} of {name}; there are {', '.join(sorted(words))}"
        )


@pytest.mark.parametrize(
    ("outcome", "status"), [("busy", 486), ("noanswer", 408), ("{status=480, outcome='failed'}", 480)]
)
def test_a_telephone_as_a_destination_that_is_not_reached_raises_as_in_a_live_call(outcome, status):
    session = SimSession(f"dial={outcome}")
    with pytest.raises(CallRejected, match=f"rejected with {status}"):
        finish(session.go(Destination("dial", "1002")))
