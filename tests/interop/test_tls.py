"""Foreign programs over TLS and WSS: PJSUA2, baresip, and the client of the websockets package."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.interop.centre import AGENT_HZ, CALLER_HZ, PASSWORDS, Centre
from tests.interop.conftest import Cast
from tests.interop.programs import Program, Softphone, wait_until
from tests.interop.test_baresip import CONFIG, namespace
from tests.interop.test_main_job import check_recording
from tests.unit.sip.certificates import authority

from sipcc.testing import audio

Start = Callable[..., Centre]

__all__ = ["namespace"]  # the fixture


def softphone(centre: Centre, cast: Cast, user: str, host: str, **settings: object) -> Softphone:
    """A PJSUA2 phone over TLS that checks the certificate of the switch."""
    sound = centre.folder / f"{user}-says.wav"
    audio.write_wav(sound, audio.tone(AGENT_HZ, 4.0))
    settings = {"authorities": str(centre.folder / "trusted.pem"), **settings}
    phone = Softphone(
        centre.folder,
        user=user,
        host=host,
        server=f"{centre.host}:{centre.tls_port}",
        password=PASSWORDS[user],
        play=str(sound),
        transport="tls",
        **settings,
    )
    cast.add(phone)
    return phone


def test_pjsua_is_called_and_calls_over_tls(start: Start, cast: Cast) -> None:
    centre = start(secure=True)
    phone = softphone(centre, cast, "1001", "127.0.0.5")
    phone.wait_event("registration", status=200)
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", pause_ms=4500)
    carrier.succeed()
    phone.wait_event("call", state="DISCONNECTED")
    (record,) = centre.cdrs(1)
    assert record["legs"][0]["agent"] == "alice"
    check_recording(record, centre.folder)
    phone.tell(f"call sip:4008123454@{centre.host}:{centre.tls_port};transport=tls")
    wait_until(lambda: len(phone.events("incoming")) == 1, 1, phone.tail)
    wait_until(lambda: sum(e["state"] == "CONFIRMED" for e in phone.events("call")) == 2, 10, phone.tail)
    phone.tell("hangup")
    centre.cdrs(2)
    phone.quit()
    (samples,), rate = audio.read_wav(phone.record_path)
    audio.assert_tone(samples[rate * 2 : rate * 3], CALLER_HZ, rate, what="softphone")
    centre.stop()


def test_pjsua_that_trusts_others_does_not_register(start: Start, cast: Cast) -> None:
    centre = start(secure=True)
    stranger = centre.folder / "stranger.pem"
    stranger.write_bytes(authority("stranger").certificate)
    phone = softphone(centre, cast, "1001", "127.0.0.5", authorities=str(stranger))
    assert phone.wait_event("registration")["status"] >= 500
    centre.stop()


@pytest.mark.usefixtures("namespace")
def test_baresip_is_called_and_calls_over_tls(
    start: Start, cast: Cast, programs: list[Program], tmp_path: Path
) -> None:
    centre = start(host="10.99.0.1", sip='digest = ["MD5"]', secure=True)
    folder = tmp_path / "baresip"
    folder.mkdir()
    audio.write_wav(folder / "says.wav", audio.tone(AGENT_HZ, 20.0))
    config = CONFIG.format(folder=folder) + "module_app ctrl_tcp.so\nctrl_tcp_listen 10.99.0.1:4444\n"
    config += f"sip_cafile {centre.folder}/trusted.pem\nsip_verify_server yes\n"
    (folder / "config").write_text(config)
    account = (
        f"<sip:1001@{centre.host}:{centre.tls_port};transport=tls>;auth_user=1001"
        ";auth_pass=secret-one-1;regint=60;answermode=auto"
    )
    (folder / "accounts").write_text(account + "\n")
    (folder / "contacts").write_text("")
    phone = Program("baresip", ["baresip", "-f", str(folder)], tmp_path)
    programs.append(phone)
    wait_until(lambda: "200 OK" in phone.output, 10, phone.tail)
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", pause_ms=4500)
    carrier.succeed()
    (record,) = centre.cdrs(1)
    assert record["legs"][0]["agent"] == "alice"
    check_recording(record, centre.folder)
    phone.end()
    centre.stop()


@pytest.mark.interop
async def test_a_browser_registers_over_wss_and_is_called(start: Start, cast: Cast) -> None:
    """A browser without its user interface: SIP by hand over the client of the websockets package."""
    from websockets.asyncio.client import connect

    from sipcc.sip.auth import Credentials, answer_challenge
    from sipcc.sip.message import Request
    from sipcc.sip.parser import parse_datagram

    centre = start(secure=True)
    context = ssl.create_default_context(cafile=str(centre.folder / "trusted.pem"))
    uri = f"wss://{centre.host}:{centre.wss_port}/ws"
    async with connect(uri, ssl=context, subprotocols=["sip"], proxy=None) as browser:  # type: ignore[list-item]
        request = parse_datagram(
            f"REGISTER sip:{centre.host} SIP/2.0\r\n"
            "Via: SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudf\r\n"
            f"From: <sip:1001@{centre.host}>;tag=65bnmj\r\nTo: <sip:1001@{centre.host}>\r\n"
            "Call-ID: aiuy7k9njasd\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n"
            "Contact: <sip:1001@df7jal23ls0d.invalid;transport=ws>\r\nExpires: 300\r\n\r\n".encode()
        )
        assert isinstance(request, Request)
        await browser.send(bytes(request).decode())
        challenge = parse_datagram(str(await browser.recv()).encode())
        name, value = answer_challenge(
            challenge,  # type: ignore[arg-type]
            request,
            Credentials("1001", PASSWORDS["1001"]),
            nonce_count=1,
            cnonce="0123456789abcdef",
        )
        request = request.copy()
        request.headers.set("CSeq", "2 REGISTER")
        request.headers.set("Via", "SIP/2.0/WSS df7jal23ls0d.invalid;branch=z9hG4bKasudg")
        request.headers.set(name, value)
        await browser.send(bytes(request).decode())
        assert str(await browser.recv()).startswith("SIP/2.0 200 ")
        carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number="4008123455", key_at=None)
        invite = str(await browser.recv())
        assert invite.startswith("INVITE sip:1001@df7jal23ls0d.invalid;transport=ws SIP/2.0\r\n")
        assert "Via: SIP/2.0/WSS " in invite
        carrier.end()
    centre.stop()
