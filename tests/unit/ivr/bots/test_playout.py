"""The account of what a bot says: marks, clearing, and the milliseconds that were heard."""

from __future__ import annotations

from sipcc.ivr.bots.playout import MAX_PENDING, Dropped, Passed, PlayOut, Room
from sipcc.rtp.events import PlayCleared, PlayFlow, PlayMarked


class Stage:
    """A stream that only takes note."""

    def __init__(self) -> None:
        self.done: list[object] = []
        self.play = PlayOut(self.begin)

    def begin(self) -> Stage:
        self.done.append("begin")
        return self

    def feed(self, audio: bytes) -> None:
        self.done.append(audio)

    def mark(self, name: str) -> None:
        self.done.append(("mark", name))

    def clear(self) -> None:
        self.done.append("clear")


def marked(name: str, at_ms: int, heard: bool = True) -> PlayMarked:
    return PlayMarked("port", 1, name, heard, at_ms)


def test_marks_are_answered_with_what_was_heard_since_the_last() -> None:
    stage = Stage()
    play = stage.play
    assert play.mark("before anything") == [Passed("mark", "before anything", True, 0)]
    play.say(b"")
    assert stage.done == []
    play.say(b"one")
    assert play.mark("same") == []
    play.say(b"two")
    assert play.mark("same") == []
    assert play.mark("", "end") == []
    assert stage.done == ["begin", b"one", ("mark", "1"), b"two", ("mark", "2"), ("mark", "3")]
    assert play.take(marked("1", 700)) == [Passed("mark", "same", True, 700)]
    assert play.take(marked("2", 1000)) == [Passed("mark", "same", True, 300)]
    assert play.take(marked("3", 1000)) == [Passed("end", "", True, 0)]
    assert play.take(marked("3", 1000)) == []


def test_clearing_tells_what_was_heard_since_the_last_mark_and_in_all() -> None:
    stage = Stage()
    play = stage.play
    assert play.clear() == [Dropped(0, 0)]
    play.say(b"one")
    play.mark("a")
    play.say(b"two")
    play.mark("b")
    assert play.take(marked("1", 500)) == [Passed("mark", "a", True, 500)]
    assert play.clear() == []
    assert play.take(marked("2", 620, False)) == [Passed("mark", "b", False, 120)]
    assert play.take(PlayCleared("port", 1, 620, 4000)) == [Dropped(120, 620)]
    play.say(b"three")
    play.clear()
    assert play.take(PlayCleared("port", 1, 700, 0)) == [Dropped(80, 700)]


def test_a_stream_that_ends_leaves_no_mark_without_an_answer_and_another_begins() -> None:
    stage = Stage()
    play = stage.play
    play.say(b"one")
    play.mark("a")
    play.mark("clip", "clip")
    play.take(marked("1", 400))
    assert play.take(PlayFlow("port", 1, True)) == [Room(True)]
    assert play.full
    assert play.over() == [Passed("clip", "clip", False, 0), Room(False)]
    assert not play.full
    assert play.over() == []
    play.say(b"two")
    play.mark("b")
    assert stage.done[-3:] == ["begin", b"two", ("mark", "3")]
    assert play.take(marked("2", 0, False)) == []  # an answer that came too late
    assert play.take(marked("3", 100)) == [Passed("mark", "b", True, 100)]
    play.clear()
    assert play.take(PlayCleared("port", 1, 150, 0)) == [Dropped(50, 550)]


def test_marks_may_be_forgotten_and_are_bounded() -> None:
    stage = Stage()
    play = stage.play
    play.say(b"one")
    play.mark("a")
    play.mark("x", "end")
    assert play.forget_marks() == [Passed("mark", "a", False, 0)]
    assert play.take(marked("1", 10)) == []
    assert play.take(marked("2", 10)) == [Passed("end", "x", True, 10)]
    for number in range(MAX_PENDING):
        assert play.mark(str(number)) == []
    assert play.mark("one too many") == [Passed("mark", "one too many", False, 0)]


def test_a_clearing_of_our_own_is_not_told_and_one_without_an_answer_gets_it_at_the_end() -> None:
    stage = Stage()
    play = stage.play
    assert play.clear(quietly=True) == []
    play.say(b"one")
    play.clear(quietly=True)
    play.clear()
    assert play.take(PlayCleared("port", 1, 100, 0)) == []
    assert play.take(PlayCleared("port", 1, 120, 0)) == [Dropped(20, 120)]
    assert play.take(PlayCleared("port", 1, 130, 0)) == []
    play.clear()
    assert play.over() == [Dropped(0, 130)]
