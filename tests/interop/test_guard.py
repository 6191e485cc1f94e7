"""A SIPp flood of a stranger is banned while calls go on; the operator's commands about a running daemon."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from tests.interop.centre import PASSWORDS
from tests.interop.field import Field
from tests.interop.programs import Softphone, wait_until
from tests.interop.scenario import Script, callee, caller, sdp

STRANGERS = {"OPTIONS": "127.0.0.66", "INVITE": "127.0.0.68", "REGISTER": "127.0.0.69"}
GUESSER = "127.0.0.67"
ECHO = "4008123453"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("guard"),
        callers={"outside": {}},
        callees={"far": {}},
        extra='[sip.guard]\ntrusted = ["127.0.0.1"]\n',
    )
    yield field
    field.close()


def talks(name: str, milliseconds: int) -> Script:
    script = caller(name).invite().recv(100, optional=True).recv(180, optional=True)
    return script.recv(200, dialog=True).ack().play().pause(milliseconds).bye()


@pytest.mark.parametrize("method", STRANGERS)
def test_a_flood_is_banned_and_calls_go_on(field: Field, method: str) -> None:
    """2,000 messages in a second; the canary calls before, during and after."""
    host = STRANGERS[method]
    steady = field.call(talks(f"canary of {method}", 2500), by="outside", number=ECHO)
    wait_until(lambda: steady.has("ACK"), 5, steady.tail)
    script = caller(f"floods {method}").request(
        method, cseq=1, initial=True, label="flood", body=sdp() if method == "INVITE" else "", wait=False
    )
    flood = field.call(
        script.pause(20), host=host, number="1001", calls=2000, at_once=2000, rate=2000, patient=True
    )
    wait_until(lambda: host in field.centre.ask("bans"), 5, lambda: field.centre.ask("bans"))
    fresh = field.call(talks(f"fresh while {method}", 100), by="outside", number=ECHO)
    fresh.succeed()
    answered = fresh.first("SIP/2.0 200", method="INVITE").at - fresh.first("INVITE").at
    assert answered < 0.5
    flood.end()
    steady.succeed()
    answers = [m for m in flood.messages() if m.direction == "received"]
    assert len(answers) < 500, "most of it was not answered at all"


def test_who_guesses_passwords_locks_the_owner_out_of_nothing(field: Field) -> None:
    guesser = Softphone(
        field.folder,
        user="1001",
        host=GUESSER,
        server=field.centre.target,
        password="wrong",
        name="guesser",
    )
    field.programs.append(guesser)
    assert guesser.wait_event("registration")["status"] in (401, 403)
    guesser.quit()
    field.phone("1001", "127.0.0.5", name="owner", password=PASSWORDS["1001"]).quit()


def test_a_source_is_let_in_again(field: Field) -> None:
    """`sipccd unban` forgets what was done."""
    banned = STRANGERS["OPTIONS"]
    assert banned in field.centre.ask("bans")
    field.centre.ask("unban", banned)
    assert banned not in field.centre.ask("bans")


def test_the_ladder_of_a_call_shows_both_legs(field: Field) -> None:
    far = callee("of a ladder").recv("INVITE").answer(180, "Ringing").answer(200, body=sdp(), wait=True)
    carrier, agent = field.talk(talks("ladder", 200), far.recv("ACK").hung_up(), by="outside", at="far")
    carrier.succeed()
    agent.succeed()
    call_id = carrier.first("INVITE").header("Call-ID")
    ladder = field.centre.ask("ladder", call_id)
    for word in (
        f"13800138000 called {field.number('far')}",
        f"INVITE {field.number('far')} SDP",
        "INVITE 13800138000 SDP",
        "100 Trying",
        "180 Ringing",
        "200 OK",
        "ACK",
        "BYE",
        f"route {field.number('far')}",
    ):
        assert word in ladder, ladder
    assert call_id in field.centre.ask("ladder", "--full", call_id)
    assert "13800138000" in field.centre.ask("calls")


def test_a_capture_of_a_call_is_a_pcap(field: Field) -> None:
    run = field.call(talks("captured", 100), by="outside", number=ECHO)
    run.succeed()
    path = field.folder / "call.pcap"
    field.centre.ask("capture", run.first("INVITE").header("Call-ID"), str(path))
    data = path.read_bytes()
    assert struct.unpack("<I", data[:4])[0] in (0xA1B2C3D4, 0xA1B23C4D)
    for message in (b"INVITE sip:", b"SIP/2.0 200 OK", b"BYE sip:"):
        assert message in data
