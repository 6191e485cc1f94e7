"""Which way the keys of a leg go; the whole of it is proved by sound in tests/flow/test_media_keys.py."""

from __future__ import annotations

import random

import pytest

from sipcc.ids import Ids
from sipcc.rtp import keys
from sipcc.rtp.dtmf import DigitSender
from sipcc.rtp.flow import KeyMethod, StreamParams
from sipcc.rtp.keytones import KeySounder
from sipcc.rtp.line import OutgoingLine
from sipcc.rtp.session import Session


@pytest.fixture
def session() -> Session:
    class Sockets:
        def send(self, *_: object) -> None:
            raise AssertionError("nothing is to be sent")

    ids = Ids(random.Random(1))
    return Session("p", (1, 2), Sockets(), OutgoingLine(ids), None)  # type: ignore[arg-type]


def params(method: KeyMethod, events: int | None, rate: int = 8000) -> StreamParams:
    return StreamParams(
        remote_host="127.0.0.1",
        remote_port=4000,
        remote_rtcp_port=4001,
        codec="PCMU",
        payload_type=0,
        event_payload_type=events,
        event_clock_rate_hz=rate,
        keys=method,
    )


@pytest.mark.parametrize(
    ("asked", "events", "method", "event_type", "sender"),
    [
        ("auto", 101, "events", 101, DigitSender),
        ("auto", None, "inband", -1, KeySounder),
        ("events", 97, "events", 97, DigitSender),
        ("events", None, "off", -1, DigitSender),
        ("inband", 101, "inband", -1, KeySounder),
        ("inband", None, "inband", -1, KeySounder),
        ("off", 101, "off", -1, DigitSender),
    ],
)
def test_one_method(
    session: Session, asked: KeyMethod, events: int | None, method: str, event_type: int, sender: type
) -> None:
    keys.configure(session, params(asked, events))
    assert session.keying.method == method
    assert session.event_type == event_type
    assert type(session.digits) is sender


def test_keys_that_wait_survive_a_new_description_of_the_same_kind(session: Session) -> None:
    keys.configure(session, params("auto", 101))
    keys.send(session, "12", duration_ms=100, gap_ms=100)
    keys.configure(session, params("auto", 97, 48000))
    assert session.digits.waiting == 2
    assert session.keys.clock_rate_hz == 48000
    assert isinstance(session.digits, DigitSender)
    assert session.digits.clock_rate_hz == 48000


def test_nothing_is_sent_to_who_takes_no_keys(session: Session) -> None:
    keys.configure(session, params("off", None))
    keys.send(session, "12", duration_ms=100, gap_ms=100)
    assert not session.digits.busy


def test_whose_audio_is_held_back(session: Session) -> None:
    assert not keys.masks(session)
    keys.secure(session, True)
    assert keys.masks(session)
    keys.secure(session, False)
    assert not keys.masks(session)  # nothing was held back yet
