from __future__ import annotations

import gc
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sipcc.sip.trace import ENTRY_BYTES, Direction, Trace, TraceSettings, _Call
from sipcc.sip.transport.base import Address, Flow
from sipcc.testing.wires import MemoryUdpFlow

CARRIER = Address("127.0.0.2", 5060)
AGENT = Address("127.0.0.3", 5070)
US = Address("127.0.0.1", 5060)


def message(start: str, call_id: str, *, body: str = "", size: int = 0) -> bytes:
    text = f"{start}\r\nCall-ID: {call_id}\r\nCSeq: 1 INVITE\r\n\r\n{body}".encode()
    return text + b"x" * max(0, size - len(text))


def flow(peer: Address) -> Flow:
    return MemoryUdpFlow(None, US, peer)  # type: ignore[arg-type]  # nothing is sent


def trace(**settings: Any) -> Trace:
    return Trace(TraceSettings(**settings), wall_of=lambda at: 1_700_000_000 + at)


def see(kept: Trace, call_id: str, at: float, direction: Direction = "in", **options: Any) -> None:
    kept.saw(
        direction, message("INVITE sip:4008123456@example.com SIP/2.0", call_id, **options), flow(CARRIER), at
    )


def test_one_call_has_both_legs_its_timers_and_its_decisions() -> None:
    kept = trace()
    see(kept, "a", 10.0)
    kept.started("call-1", caller="13800138000", called="4008123456", sip_call_id="a", at=10.0)
    kept.decided("call-1", "route: queue:sales", "number 4008123456", 10.0)
    kept.join("call-1", "b")  # told before its first message was seen
    invite = message("INVITE sip:1001@127.0.0.3 SIP/2.0", "b")
    kept.saw("out", invite, flow(AGENT), 10.2)
    kept.timer("b", "A: INVITE again", 10.7, AGENT)
    kept.saw("out", invite, flow(AGENT), 10.7)
    kept.saw("in", message("SIP/2.0 200 OK", "b"), flow(AGENT), 11.0)
    ladder = kept.ladder("call-1", texts=False)
    assert ladder is not None
    assert (ladder.caller, ladder.called, ladder.sip_call_ids) == ("13800138000", "4008123456", ["a", "b"])
    assert [(round(rung.at, 1), rung.kind, rung.label, rung.repeat) for rung in ladder.rungs] == [
        (0.0, "message", "INVITE 4008123456", False),
        (0.0, "decision", "route: queue:sales", False),
        (0.2, "message", "INVITE 1001", False),
        (0.7, "timer", "A: INVITE again", False),
        (0.7, "message", "INVITE 1001", True),
        (1.0, "message", "200 OK (INVITE)", False),
    ]
    assert ladder.rungs[0].wall == 1_700_000_010.0
    assert (ladder.rungs[0].local, ladder.rungs[0].remote) == (str(US), str(CARRIER))
    assert ladder.rungs[1].why == "number 4008123456"


def test_a_call_is_found_by_id_call_id_and_number_and_the_youngest_is_meant() -> None:
    kept = trace()
    for number in range(3):
        kept.started(
            f"call-{number}",
            caller=f"1380013800{number}",
            called="4008123456",
            sip_call_id=f"s{number}",
            at=number,
        )
    see(kept, "stranger", 5.0)
    assert kept.find("call-1") == kept.find("s1") == kept.find("38001") == "call-1" or kept.find("38001")
    assert kept.find("13800138001") == "call-1"
    assert kept.find("4008123456") == kept.last == "call-2"
    assert kept.find("stranger") == "stranger"
    assert kept.find("") is None
    assert kept.find("nothing") is None
    assert kept.ladder("nothing") is None
    assert kept.messages("nothing") == []
    assert [entry.call for entry in kept.calls(2)] == ["call-2", "call-1"]
    alone = kept.ladder("stranger")
    assert alone is not None
    assert (alone.call, len(alone.rungs)) == ("", 1)
    assert [wall for _seen, wall in kept.messages("stranger")] == [1_700_000_005.0]


def test_a_call_without_any_message_has_a_ladder_of_decisions() -> None:
    kept = trace()
    kept.decided("call-1", "refused: 503", "trunk full", 3.0)
    ladder = kept.ladder("call-1")
    assert ladder is not None
    assert [rung.label for rung in ladder.rungs] == ["refused: 503"]


def test_credentials_are_not_shown() -> None:
    kept = trace()
    data = (
        b'REGISTER sip:x SIP/2.0\r\nCall-ID: r\r\nAuthorization: Digest nonce="n0", response="beef"\r\n\r\n'
    )
    kept.saw("in", data, flow(AGENT), 1.0)
    ladder = kept.ladder("r")
    assert ladder is not None
    assert "beef" not in ladder.rungs[0].text
    assert b"beef" not in kept.messages("r")[0][0].data


def test_first_and_last_messages_of_a_long_dialog_stay() -> None:
    kept = trace(messages=10)
    for at in range(100):
        see(kept, "a", at)
    ladder = kept.ladder("a")
    assert ladder is not None
    assert [rung.at for rung in ladder.rungs] == [0, 1, 2, 3, 4, 95, 96, 97, 98, 99]
    assert ladder.dropped == 90


def test_strangers_push_no_call_out() -> None:
    kept = trace(memory_mb=1)
    kept.started("call-1", caller="1", called="2", sip_call_id="a", at=0.0)
    see(kept, "a", 0.0)
    for number in range(3000):
        see(kept, f"scan{number}", 1.0 + number, size=1000)
    assert kept.find("call-1") == "call-1"
    assert kept.find("scan0") is None
    assert kept.find("scan2999") == "scan2999"
    assert kept.size <= 1 << 20


def test_the_call_that_was_silent_longest_goes_first() -> None:
    kept = trace(calls=3)
    for number in range(3):
        kept.started(f"call-{number}", caller="1", called="2", sip_call_id=f"s{number}", at=number)
    see(kept, "s0", 10.0)
    kept.started("call-3", caller="1", called="2", sip_call_id="s3", at=11.0)
    assert [kept.find(f"call-{number}") is not None for number in range(4)] == [True, False, True, True]
    assert kept.evicted == 1
    assert kept.find("s1") is None


def test_a_call_that_goes_waits_for_no_collector() -> None:
    def there() -> list[object]:
        return [each for each in gc.get_objects() if type(each) is _Call and id(each) not in others]

    kept, others = trace(calls=2), set[int]()
    gc.collect()
    gc.disable()
    try:
        others = {id(each) for each in there()}  # what other tests have left
        for n in range(20):
            see(kept, str(n), float(n))
            kept.started(f"call-{n}", caller="13800138000", called="4008123456", sip_call_id=str(n), at=n)
        assert len(kept) == 2
        assert len(there()) == 2
    finally:
        gc.enable()


def test_messages_without_call_id_are_counted() -> None:
    kept = trace()
    kept.saw("in", b"nonsense\r\n\r\n", flow(CARRIER), 1.0)
    assert (kept.unnamed, len(kept)) == (1, 0)


def test_with_0_calls_nothing_of_calls_is_kept() -> None:
    kept = trace(calls=0)
    kept.started("call-1", caller="1", called="2", sip_call_id="a", at=0.0)
    see(kept, "a", 0.0)
    assert (len(kept), kept.find("call-1")) == (0, None)


STEPS = st.one_of(
    st.tuples(st.just("saw"), st.integers(0, 6), st.integers(0, 200_000)),
    st.tuples(st.just("start"), st.integers(0, 6), st.integers(0, 6)),
    st.tuples(st.just("join"), st.integers(0, 6), st.integers(0, 6)),
    st.tuples(st.just("timer"), st.integers(0, 6), st.just(0)),
    st.tuples(st.just("decide"), st.integers(0, 6), st.integers(0, 100)),
)


@given(st.lists(STEPS, max_size=60))
def test_the_count_of_bytes_is_right_and_bounded(steps: list[tuple[str, int, int]]) -> None:
    kept = trace(memory_mb=1, calls=3, messages=4)
    for at, (what, one, two) in enumerate(steps):
        if what == "saw":
            see(kept, f"s{one}", at, size=two)
        elif what == "start":
            kept.started(f"c{one}", caller="1", called="2", sip_call_id=f"s{two}", at=at)
        elif what == "join":
            kept.join(f"c{one}", f"s{two}")
        elif what == "timer":
            kept.timer(f"s{one}", "A", at)
        else:
            kept.decided(f"c{one}", "x" * two, "", at)
        loose = sum(dialog.size for dialog in kept._loose.values())
        calls = sum(call.size for call in kept._calls.values())
        assert (loose, calls) == (kept._loose_bytes, kept._call_bytes)
        for call in kept._calls.values():
            texts = sum(ENTRY_BYTES + len(note.text) + len(note.why) for note in call.notes)
            assert call.size == ENTRY_BYTES + texts + sum(leg.size for leg in call.legs)
        for dialog in kept._dialogs.values():
            known = sum(len(seen.data) + ENTRY_BYTES for seen in dialog.messages)
            assert dialog.size == ENTRY_BYTES + len(dialog.key) + known + ENTRY_BYTES * len(dialog.notes)
        assert len(kept) <= 3
        # one dialog or one call alone may have all its messages
        assert kept.size <= (1 << 20) or len(kept) <= 1 or len(kept._loose) <= 1
        assert set(kept._dialogs) == set(kept._loose) | {
            leg.key for c in kept._calls.values() for leg in c.legs
        }
