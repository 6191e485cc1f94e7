"""Codecs and packet lengths with other people's phones, proved by tones or by the packets on the wire."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.interop import pcap
from tests.interop.centre import AGENT_HZ, CALLER_HZ, Centre
from tests.interop.conftest import Cast
from tests.interop.field import Field
from tests.interop.phones import TONES, Phones, more_users, pause, said
from tests.interop.programs import Capture, Program, ended, wait_until
from tests.interop.scenario import Script, callee, caller, sdp
from tests.interop.sipp import Sipp
from tests.interop.test_baresip import CONFIG, namespace
from tests.interop.test_main_job import check_recording

from sipcc.rtp.codec import g711
from sipcc.testing import audio

__all__ = ["namespace"]  # the fixture

CODECS = 'codecs = ["PCMU", "PCMA", "G722", "opus", "L16", "G729"]'
WIDE_HZ = 5000
"""What only a codec of 16 kHz has, and only where nobody has decoded to 8 kHz in between."""
SPEAKS = {"1001": "G722", "1002": "G722", "1003": "PCMA", "1004": "PCMU"}


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    field = Field(
        tmp_path_factory.mktemp("codecs"),
        callers={"outside": {}},
        callees={"far": {}},
        numbers={user: f"dial:{user}" for user in SPEAKS},
        extra=more_users(),
        workers=1,
        media=CODECS,
    )
    yield field
    field.close()


@pytest.fixture(scope="module")
def phones(field: Field) -> Phones:
    return Phones(field, **{f"u{user}": {"codec": codec, "only": True} for user, codec in SPEAKS.items()})


@pytest.mark.parametrize(
    ("calling", "called", "hz"),
    [("1002", "1001", WIDE_HZ), ("1001", "1003", 0), ("1004", "1001", 0), ("1003", "1004", 0)],
)
def test_two_phones_of_one_codec_each(phones: Phones, calling: str, called: str, hz: int) -> None:
    """What two have in common is passed on: 5 kHz arrive, so nobody has decoded it. All else is recoded."""
    one, two = phones(calling, hz), phones(called)
    calls = phones.call(one, two, called)
    pause(1.5)
    phones.hang_up(calls, one, two)
    for phone, call, user, tone in (
        (one, calls[0], calling, TONES[called]),
        (two, calls[1], called, hz or TONES[calling]),
    ):
        samples, rate = phones.tape(phone, call)
        audio.assert_tone(said(samples, rate), tone, rate, what=f"what {user} heard")
        clock = 16000 if SPEAKS[user] == "G722" else 8000
        assert phone.events("media")[-1]["codecs"] == [f"{SPEAKS[user]}/{clock}"]


def media_port(run: Sipp, start: str, direction: str) -> int:
    """The port of the first media line of a message."""
    found = re.search(r"(?m)^m=\w+ ([0-9]+) ", run.first(start, direction).text)
    assert found is not None
    return int(found[1])


class Wire:
    """The packets that the two parties of a call got from us."""

    def __init__(self, field: Field, near: Script, away: Script, **options: Any) -> None:
        self.capture = Capture(
            field.folder, f"udp and (host {field.host('outside')} or host {field.host('far')})"
        )
        with ended(self.capture):
            waiting = field.take(away, at="far", **options.pop("far", {}))
            calling = field.call(near, by="outside", number=field.number("far"), **options)
            calling.succeed()
            waiting.succeed()
        self.ports = {
            "near": media_port(calling, "INVITE", "sent"),
            "far": media_port(waiting, "SIP/2.0 200", "sent"),
        }

    def got(self, party: str) -> list[tuple[float, int, int, int, bytes]]:
        """Seconds, payload type, sequence, timestamp and payload of what came to a party from us."""
        port = self.ports[party]
        fields = ("frame.time_epoch", "rtp.p_type", "rtp.seq", "rtp.timestamp", "rtp.payload")
        rows = self.capture.rows(f"udp.dstport == {port} && rtp", *fields, rtp=self.ports.values())
        return [(float(at), int(kind), int(n), int(t), bytes.fromhex(data)) for at, kind, n, t, data in rows]


SIZES = [(0.6, 10), (1.2, 30), (1.84, 40), (2.44, 60), (4.4, 20)]


def test_packets_of_any_length_become_those_that_each_party_asked_for(field: Field) -> None:
    """10, 30, 40, 60 and 20 ms in one stream; the parties take 30 and 40 ms, then the caller 60."""
    mixed = pcap.write_packets(field.folder / "sizes.pcap", tone_hz=CALLER_HZ, sizes_ms=SIZES)
    steady = pcap.write(field.folder / "alaw.pcap", tone_hz=AGENT_HZ, seconds=8, codec="PCMA", ssrc=7)
    far = callee("takes 40 ms").recv("INVITE").answer(200, body=sdp(codec=8, ptime=40), wait=True)
    far.recv("ACK").play().recv("BYE").answer(200, to="bye")
    near = caller("takes 30 ms, then 60").invite(sdp(ptime=30)).recv(100, optional=True)
    near.recv(180, optional=True).recv(200, dialog=True).ack().play().pause(2500)
    near.request("INVITE", cseq=2, body=sdp(version=2, ptime=60)).recv(100, optional=True).recv(200)
    near.ack(cseq=2).pause(1500).bye(cseq=3)
    wire = Wire(field, near, far, audio=mixed, far={"audio": steady})
    for party, kind, law, sizes, tone in (
        ("near", 0, "PCMU", [240, 480], AGENT_HZ),
        ("far", 8, "PCMA", [320], CALLER_HZ),
    ):
        packets = wire.got(party)
        assert {each[1] for each in packets} == {kind}
        found = [len(each[4]) for each in packets]
        assert list(dict.fromkeys(found)) == sizes
        assert sorted(found) == found
        gaps = [
            (round(at - packets[0][0], 3), missing)
            for (at, _, _, start, data), (_, _, _, end, _) in pairwise(packets)
            if (missing := ((end - start) & 0xFFFFFFFF) - len(data))
        ]
        # what changes of length do exactly stands in tests/flow; here a busy machine may delay SIPp once
        assert sum(missing for _, missing in gaps) in (0, 160), (party, gaps)
        assert all((b[2] - a[2]) & 0xFFFF == 1 for a, b in pairwise(packets))
        heard = g711.decode(b"".join(each[4] for each in packets), law)  # type: ignore[arg-type]
        assert abs(len(heard) / 8000 - (packets[-1][0] - packets[0][0])) < 0.1
        audio.assert_tone(heard[4000:-4000], tone, what=party)
        assert audio.silent_runs(heard[4000:-4000]) == []


def g729_stream(path: Path, seed: int) -> list[bytes]:
    """Write packets of two made frames each; what we cannot decode, we cannot have made up either."""
    payloads = [
        bytes((seed, index & 255, *(17 * seed + index * k & 255 for k in range(18)))) for index in range(150)
    ]
    packets = (
        (index / 50, pcap.rtp(18, index, index * 160, seed, payload, marker=not index))
        for index, payload in enumerate(payloads)
    )
    pcap.write_datagrams(path, packets)
    return payloads


def test_g729_goes_through_untouched(field: Field) -> None:
    one, two = field.folder / "g729-1.pcap", field.folder / "g729-2.pcap"
    sent = {"far": g729_stream(one, 3), "near": g729_stream(two, 5)}
    body = sdp(codec=18)
    far = callee("has G.729 alone").recv("INVITE").answer(200, body=body, wait=True).recv("ACK").play()
    far.recv("BYE").answer(200, to="bye")
    near = caller("has G.729 alone").invite(body).recv(100, optional=True).recv(180, optional=True)
    near.recv(200, dialog=True).ack().pause(200).play().pause(3400).bye()
    wire = Wire(field, near, far, audio=one, far={"audio": two})
    for party, payloads in sent.items():
        got = wire.got(party)
        assert {each[1] for each in got} == {18}
        assert [each[4] for each in got] == payloads[-len(got) :]
        assert len(got) > 130
        assert all((b[2] - a[2]) & 0xFFFF == 1 for a, b in pairwise(got))


def baresip(
    folder: Path, centre: Centre, user: str, secret: str, tone_hz: int, codec: str, *more: str
) -> Program:
    """A baresip that speaks one codec and says a tone."""
    own = folder / f"baresip-{user}"
    own.mkdir()
    rate, channels = (int(each) for each in codec.split("/")[1:])  # its file player does not convert
    sound = audio.tone(tone_hz, 20.0, rate_hz=rate)
    audio.write_wav(own / "says.wav", *[sound] * channels, rate_hz=rate)
    modules = "".join(f"module {name}.so\n" for name in ("opus", "l16"))
    (own / "config").write_text(CONFIG.format(folder=own) + modules)
    account = (
        f"<sip:{user}@{centre.target};transport=udp>;auth_user={user}"
        f";auth_pass={secret};regint=60;answermode=auto;audio_codecs={codec}"
    )
    (own / "accounts").write_text(account + "\n")
    (own / "contacts").write_text("")
    return Program(f"baresip-{user}", ["baresip", "-f", str(own), *more], folder)


def baresip_heard(folder: Path, user: str) -> tuple[audio.Samples, int]:
    """What it wrote down of its latest call."""
    dumps = sorted((folder / f"baresip-{user}").glob("dump-*-dec.wav"))
    (heard, *_), rate = audio.read_wav(dumps[-1])
    return heard, rate


@pytest.mark.usefixtures("namespace")
def test_baresip_speaks_opus_with_a_carrier_and_with_a_phone_that_speaks_l16(
    start: Callable[..., Centre], cast: Cast, programs: list[Program], tmp_path: Path
) -> None:
    centre = start(host="10.99.0.1", sip='digest = ["MD5"]', media=CODECS, workers=1)
    one = baresip(tmp_path, centre, "1001", "secret-one-1", AGENT_HZ, "opus/48000/2")
    programs.append(one)
    wait_until(lambda: "200 OK" in one.output, 10, one.tail)
    carrier = cast.carrier(centre, "carrier_hangs_up_pcmu", number="4008123450", key_at=None, pause_ms=2500)
    carrier.succeed()
    (record,) = centre.cdrs(1)
    check_recording(record, centre.folder)
    assert record["legs"][0]["stats"]["codec"] == "opus"
    heard, rate = baresip_heard(tmp_path, "1001")
    audio.assert_tone(said(heard, rate), CALLER_HZ, rate, what="baresip, opus, a carrier")

    call = f"/dial sip:4008123455@{centre.target}"
    two = baresip(tmp_path, centre, "1002", "secret-two-2", 600, "L16/16000/1", "-e", call)
    programs.append(two)
    wait_until(lambda: "Call established" in two.output, 10, two.tail)
    pause(2.0)
    two.end()
    centre.cdrs(2)
    one.end()
    for user, tone in (("1001", 600), ("1002", AGENT_HZ)):
        heard, rate = baresip_heard(tmp_path, user)
        audio.assert_tone(said(heard, rate), tone, rate, what=f"baresip {user}")
    centre.stop()
