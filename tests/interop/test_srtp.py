"""SRTP with other people's phones, PJSUA2 and baresip; tshark reads what we send as SRTP."""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.flow.centre import CONFIG as FLOW_CONFIG
from tests.flow.centre import Centre as MemoryCentre
from tests.interop.centre import AGENT_HZ, CALLER_HZ, PASSWORDS, Centre
from tests.interop.conftest import Cast
from tests.interop.programs import Program, Softphone, need, wait_until
from tests.interop.test_baresip import CONFIG, namespace
from tests.interop.test_captures import tshark
from tests.interop.test_main_job import check_recording

from sipcc.sip.capture import file_header, record
from sipcc.testing import audio
from sipcc.testing.srtp import Srtp

Start = Callable[..., Centre]

__all__ = ["namespace"]  # the fixture


def protected(start: Start, policy: str, *, suite: str = "", **options: object) -> Centre:
    """A daemon whose phones have `policy`; its carrier speaks plain RTP all the same."""
    media = f'srtp = "{policy}"' + (f'\nsrtp_suites = ["{suite}"]' if suite else "")
    return start(media=media, trunk='srtp = "off"', **options)


def softphone(
    centre: Centre, cast: Cast, user: str, tone_hz: int, srtp: str, **settings: object
) -> Softphone:
    sound = centre.folder / f"{user}-says.wav"
    audio.write_wav(sound, audio.tone(tone_hz, 4.0))
    phone = Softphone(
        centre.folder,
        user=user,
        host="127.0.0.5",
        server=str(settings.pop("server", centre.target)),
        password=PASSWORDS[user],
        play=str(sound),
        srtp=srtp,
        **settings,
    )
    cast.add(phone)
    phone.wait_event("registration", status=200)
    return phone


def heard(phone: Softphone) -> None:
    """The phone has heard the caller."""
    phone.quit()
    (samples,), rate = audio.read_wav(phone.record_path)
    audio.assert_tone(samples[len(samples) // 3 : len(samples) * 2 // 3], CALLER_HZ, rate, what="softphone")


@pytest.mark.parametrize(
    ("policy", "srtp", "suite"),
    [
        ("required", "mandatory", "AES_CM_128_HMAC_SHA1_80"),
        ("required", "mandatory", "AES_CM_128_HMAC_SHA1_32"),
        ("optional", "optional", ""),
        ("optional", "disabled", ""),
    ],
)
def test_the_agent_is_pjsua(start: Start, cast: Cast, policy: str, srtp: str, suite: str) -> None:
    centre = protected(start, policy, suite=suite)
    phone = softphone(centre, cast, "1001", AGENT_HZ, srtp)
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", pause_ms=4500)
    carrier.succeed()
    phone.wait_event("call", state="DISCONNECTED")
    (cdr,) = centre.cdrs(1)
    assert cdr["legs"][0]["agent"] == "alice"
    check_recording(cdr, centre.folder)
    heard(phone)
    centre.stop()


def test_pjsua_without_srtp_is_rung_in_vain_where_it_is_required(start: Start, cast: Cast) -> None:
    centre = protected(start, "required")
    phone = softphone(centre, cast, "1002", CALLER_HZ, "disabled")
    phone.tell(f"call sip:4008123454@{centre.target}")
    assert phone.wait_event("call", state="DISCONNECTED")["status"] == 488
    centre.stop()


@pytest.mark.parametrize(("workers", "srtp"), [(0, "mandatory"), (1, "mandatory"), (0, "optional")])
def test_pjsua_calls_presses_a_key_and_holds(start: Start, cast: Cast, workers: int, srtp: str) -> None:
    """The key comes protected as well; hold and resume keep the keys, and the audio."""
    centre = protected(start, "required" if srtp == "mandatory" else "optional", workers=workers, secure=True)
    agent = softphone(centre, cast, "1001", AGENT_HZ, srtp)
    phone = softphone(
        centre,
        cast,
        "1002",
        CALLER_HZ,
        srtp,
        transport="tls",
        authorities=str(centre.folder / "trusted.pem"),
        server=f"{centre.host}:{centre.tls_port}",
    )
    phone.tell(f"call sip:4008123456@{centre.host}:{centre.tls_port};transport=tls")
    phone.wait_event("call", state="CONFIRMED")
    phone.tell("keys 1")
    agent.wait_event("call", state="CONFIRMED")
    wait_until(lambda: bool(agent.events("media")), 5, agent.tail)
    phone.tell("hold")
    phone.wait_event("media", status=[2])
    phone.tell("unhold")
    wait_until(lambda: phone.events("media")[-1]["status"] == [1], 5, phone.tail)
    _pause(2.0)
    phone.tell("hangup")
    phone.wait_event("call", state="DISCONNECTED")
    (cdr,) = centre.cdrs(1)
    assert cdr["digits"][0]["digits"] == "1"
    phone.quit()
    (samples,), rate = audio.read_wav(phone.record_path)
    audio.assert_tone(samples[-rate * 3 // 2 : -rate // 2], AGENT_HZ, rate, what="caller, after the hold")
    centre.stop()


def _pause(seconds: float) -> None:
    """Let audio flow."""
    subprocess.run(["sleep", str(seconds)], check=True)


@pytest.mark.usefixtures("namespace")
@pytest.mark.parametrize(("policy", "mode"), [("required", "srtp-mand"), ("optional", "srtp")])
def test_the_agent_is_baresip(
    start: Start, cast: Cast, programs: list[Program], tmp_path: Path, policy: str, mode: str
) -> None:
    centre = protected(start, policy, host="10.99.0.1", sip='digest = ["MD5"]')
    folder = tmp_path / "baresip"
    folder.mkdir()
    audio.write_wav(folder / "says.wav", audio.tone(AGENT_HZ, 20.0))
    (folder / "config").write_text(CONFIG.format(folder=folder) + "module srtp.so\n")
    account = (
        f"<sip:1001@{centre.target};transport=udp>;auth_user=1001"
        f";auth_pass=secret-one-1;regint=60;answermode=auto;mediaenc={mode}"
    )
    (folder / "accounts").write_text(account + "\n")
    (folder / "contacts").write_text("")
    phone = Program("baresip", ["baresip", "-f", str(folder)], tmp_path)
    programs.append(phone)
    wait_until(lambda: "200 OK" in phone.output, 10, phone.tail)
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", pause_ms=4500)
    carrier.succeed()
    (cdr,) = centre.cdrs(1)
    assert cdr["legs"][0]["agent"] == "alice"
    check_recording(cdr, centre.folder)
    phone.end()
    (dump,) = folder.glob("dump-*-dec.wav")
    (samples, *_), rate = audio.read_wav(dump)
    audio.assert_tone(samples[len(samples) // 3 : len(samples) * 2 // 3], CALLER_HZ, rate, what="baresip")
    centre.stop()


async def test_tshark_reads_our_srtp_as_srtp(tmp_path: Path) -> None:
    """A call in memory, written down as a capture: the descriptions tell tshark what the packets are."""
    need("tshark")
    config = FLOW_CONFIG.replace('addresses = ["127.0.0.2"]', 'addresses = ["127.0.0.2"]\nsrtp = "required"')
    async with MemoryCentre(tmp_path, config=config) as world:
        world.carrier.srtp = Srtp()
        await world.phone("1001")
        caller = await world.carrier.call("4008000005")
        await caller.answered()
        await caller.hears(1300.0)
        await asyncio.sleep(12)
        await caller.hangup()
        assert caller.theirs is not None
        port = caller.theirs.port
        packets = world.network.captured
    path = tmp_path / "call.pcap"
    path.write_bytes(
        file_header()
        + b"".join(
            record(p.data, source=p.source, destination=p.target, wall=1_700_000_000 + p.at) for p in packets
        )
    )
    wanted = f"srtp.auth_tag && udp.srcport == {port}"
    ours = tshark(path, wanted, "rtp.version", "rtp.p_type", "rtp.ssrc", "rtp.seq", "srtp.auth_tag")
    assert len(ours) > 500
    assert {(version, kind, len(tag)) for version, kind, _, _, tag in ours} == {("2", "0", 20)}
    assert len({ssrc for _, _, ssrc, _, _ in ours}) == 1
    numbers = [int(number) for _, _, _, number, _ in ours]
    assert all((after - before) % 65536 == 1 for before, after in itertools.pairwise(numbers))
    reports = tshark(path, f"srtcp.auth_tag && udp.srcport == {port + 1}", "srtcp.e", "srtcp.index")
    assert [row[1] for row in reports] == [str(index) for index in range(1, len(reports) + 1)]
    assert {row[0] for row in reports} <= {"1", "True"}
    assert tshark(path, f"udp.srcport == {port} && !srtp.auth_tag", "frame.number") == []
    assert tshark(path, "_ws.malformed", "frame.number") == []
