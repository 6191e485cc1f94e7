"""What a caller hears before the answer: SIPp rings in every way there is, a PJSUA2 phone calls and tapes it.

All calls of the matrix are made at once; each test listens to one tape.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import pytest
from tests.interop import pcap
from tests.interop.field import Field
from tests.interop.scenario import Script, callee, sdp
from tests.interop.sipp import Sipp

from sipcc.testing import audio

EARLY_HZ, TALK_HZ, RINGING_HZ = 1300.0, 700.0, 450.0
TALK_S = 0.8


class Row(msgspec.Struct, frozen=True):
    """One way to ring: what is sent until the answer, and what the phone hears meanwhile."""

    sent: tuple[str, ...]
    """``180``, ``183``, with ``+SDP``; ``play``, ``blip``; ``wait``; ``B`` before it for another tag."""
    heard_hz: float = 0.0
    """The tone before the answer; 0 for none."""
    status: int = 180
    """The first provisional that the phone gets."""


ROWS = {
    "180": Row(("180",)),
    "180 with a description": Row(("180+SDP", "play"), EARLY_HZ),
    "183 without a description": Row(("183", "180"), status=183),
    "183 with a description": Row(("183+SDP", "play"), EARLY_HZ, 183),
    "183 with a description, then 180": Row(("183+SDP", "play", "wait", "180"), EARLY_HZ, 183),
    "183 with a description and no sound, then 180": Row(("183+SDP", "180"), status=183),
    "183 with sound, 180, silence": Row(("183+SDP", "blip", "180", "wait", "wait"), RINGING_HZ, 183),
    "another tag answers": Row(("183+SDP", "play", "wait", "B180"), EARLY_HZ, 183),
}


def script_of(name: str, row: Row, reliable: bool) -> Script:
    script = callee(f"{name} {'reliable' if reliable else 'plain'}").recv("INVITE")
    rseq, branch = 0, ""
    for step in row.sent:
        if step == "wait":
            script.pause(1300)
        elif step in ("play", "blip"):
            script.play("early" if step == "play" else "blip")
        else:
            branch = "B" if step.startswith("B") else ""
            status, described = step.removeprefix("B").partition("+")[::2]
            again = ["Require: 100rel", f"RSeq: {rseq + 1}"] if reliable else []
            reason = {"180": "Ringing", "183": "Session Progress"}[status]
            body = sdp() if described else ""
            script.answer(int(status), reason, headers=again, body=body, tag=branch, wait=reliable)
            if reliable:
                rseq += 1
                script.recv("PRACK", keep=f"prack{rseq}").answer(200, to=f"prack{rseq}")
    script.pause(1500).answer(200, body=sdp(), tag=branch, wait=True).recv("ACK").play("talk")
    return script.pause(int(TALK_S * 1000)).request("BYE", cseq=90).recv(200)


CASES = [(name, reliable) for name in ROWS for reliable in (False, True)]


CALLS_AT_ONCE = 4
"""More than that no PJSUA2 phone takes, as the wheel is built."""


class Matrix:
    """All the calls, made and ended."""

    def __init__(self, field: Field) -> None:
        self.field = field
        sounds = {
            name: str(pcap.write(field.folder / f"{name}.pcap", tone_hz=hz, seconds=seconds, ssrc=int(hz)))
            for name, hz, seconds in (
                ("early", EARLY_HZ, 6.0),
                ("blip", EARLY_HZ, 0.2),
                ("talk", TALK_HZ, 2.0),
            )
        }
        self.agents: dict[tuple[str, bool], Sipp] = {}
        count = (len(CASES) + CALLS_AT_ONCE - 1) // CALLS_AT_ONCE
        self.phones = [
            field.phone(
                "1001",
                f"127.0.0.{50 + index}",
                name=f"phone{index}",
                tapes=str(field.folder / f"tape{index}"),
                prack="optional",
                register=False,
            )
            for index in range(count)
        ]
        for index, (name, reliable) in enumerate(CASES):
            script = script_of(name, ROWS[name], reliable)
            self.agents[name, reliable] = field.take(script, at=f"far{index}", keys=sounds)
        for index in range(len(CASES)):
            phone = self.phones[index // CALLS_AT_ONCE]
            phone.tell(f"call sip:{field.number(f'far{index}')}@{field.centre.target}")
        for agent in self.agents.values():
            agent.succeed()
        for phone in self.phones:
            phone.tell("quit")
        for phone in self.phones:
            phone.quit()

    def tape(self, name: str, reliable: bool) -> tuple[audio.Samples, int]:
        """What the phone heard in this call, from its first description to its end."""
        phone, call = divmod(CASES.index((name, reliable)), CALLS_AT_ONCE)
        (samples,), rate = audio.read_wav(self.field.folder / f"tape{phone}-{call + 1}.wav")
        return samples, rate

    def statuses(self, name: str, reliable: bool) -> list[int]:
        """The provisional answers that the phone saw."""
        phone, call = divmod(CASES.index((name, reliable)), CALLS_AT_ONCE)
        told = [e["status"] for e in self.phones[phone].events("call") if e["call"] == call + 1]
        return [status for status in told if 100 < status < 200]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Matrix]:
    field = Field(
        tmp_path_factory.mktemp("early"),
        callers={},
        callees={f"far{index}": {"reliable": "supported"} for index in range(len(CASES))},
        sip='reliable = "supported"',
        extra="[toll]\ncalls_per_user = 0\n",
    )
    yield Matrix(field)
    field.close()


@pytest.mark.parametrize(("name", "reliable"), CASES)
def test_the_caller_hears_the_right_thing(matrix: Matrix, name: str, reliable: bool) -> None:
    row = ROWS[name]
    samples, rate = matrix.tape(name, reliable)
    talk = round(TALK_S * rate)
    audio.assert_tone(samples[-talk * 3 // 4 : -talk // 4], TALK_HZ, rate, what="after the answer")
    before = samples[: -talk - rate // 5]
    if row.heard_hz:
        pieces = [before[at : at + rate // 4] for at in range(0, len(before) - rate // 4, rate // 4)]
        found = [audio.tone_share(piece, row.heard_hz, rate) > 0.8 for piece in pieces]
        assert any(found[-4:] if row.heard_hz == EARLY_HZ else found), found
    else:
        assert len(before) < rate // 2, "no early media was promised to the caller"
    assert matrix.statuses(name, reliable)[0] == row.status
    agent = matrix.agents[name, reliable]
    assert bool(agent.all("PRACK", "received")) == reliable
