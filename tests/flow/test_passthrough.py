"""Video and fax between two parties: passed on as they come, or refused without harm to the audio."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.flow.centre import AGENT_HZ, CALLER_HZ, CONFIG, Centre

from sipcc.sip import InviteSession, Request, Response
from sipcc.sip.sdp import MediaDescription, SessionDescription
from sipcc.testing.fakecall import FakeCall
from sipcc.testing.phone import Ignore

T38 = (
    ("T38FaxVersion", "0"),
    ("T38MaxBitRate", "14400"),
    ("T38FaxRateManagement", "transferredTCF"),
    ("T38FaxUdpEC", "t38UDPRedundancy"),
)
H264 = (
    ("rtpmap", "97 H264/90000"),
    ("fmtp", "97 profile-level-id=42e01f;packetization-mode=1"),
    ("rtcp-fb", "* nack pli"),
)


class Extra:
    """Gives a fake call a second kind of media, with a socket pair of its own."""

    def __init__(self, centre: Centre, call: FakeCall, kind: str, *, takes: bool = True) -> None:
        self.call = call
        self.kind = kind
        self.takes = takes
        self.refuses = 0
        """The status with which offers of this kind are refused as a whole."""
        self.host = call.media.host
        self.sockets = centre.network.sockets(self.host)
        self.port = 41000
        self.media = self.sockets.open(self.host, self.port)
        self.control = self.sockets.open(self.host, self.port + 1)
        self.got: list[tuple[int, bytes]] = []
        self.theirs: SessionDescription | None = None
        self.offers: list[SessionDescription] = []
        self.status = 0
        self._describe_audio = call._describe
        call.on_offer = self.on_offer  # type: ignore[method-assign]
        call.on_reinvite_answered = self.on_reinvite_answered  # type: ignore[method-assign]

    @property
    def line(self) -> MediaDescription:
        if self.kind == "video":
            return MediaDescription("video", self.port, "RTP/AVP", ("97",), attributes=H264)
        return MediaDescription("image", self.port, "udptl", ("t38",), attributes=T38)

    def describe(self, kinds: list[str]) -> bytes:
        """Our description with lines of these kinds in this order; a kind with a dash is refused."""
        self.call._version += 1
        base = SessionDescription.parse(self._describe_audio())
        lines = {"audio": base.media[0], self.kind: self.line}
        media = []
        for kind in kinds:
            line = lines.get(kind.strip("-"), self.line)
            media.append(line.refused() if kind.startswith("-") else line)
        return bytes(SessionDescription(base.origin, tuple(media), base.connection))

    async def offer(self, *kinds: str) -> int:
        self.call._reinvited = asyncio.get_running_loop().create_future()
        self.call._session_now.reinvite(self.describe(list(kinds)))
        return await self.call._reinvited

    def on_offer(self, session: InviteSession, request: Request) -> None:
        offer = SessionDescription.parse(request.body)
        self.offers.append(offer)
        extra = any(line.kind == self.kind and line.port for line in offer.media)
        if extra and self.refuses:
            session.refuse_offer(self.refuses)
            return
        kinds = []
        for line in offer.media:
            wanted = line.port and (line.kind == "audio" or self.takes)
            kinds.append(line.kind if wanted else f"-{line.kind}")
        self.theirs = offer
        session.answer_offer(self.describe(kinds))

    def on_reinvite_answered(self, session: InviteSession, response: Response | None) -> None:
        if response is not None and response.status < 300:
            self.theirs = SessionDescription.parse(response.body)
        assert self.call._reinvited is not None
        self.call._reinvited.set_result(response.status if response is not None else 0)

    @property
    def answer(self) -> MediaDescription:
        """What the switch says of our kind of media."""
        assert self.theirs is not None
        return next(line for line in self.theirs.media if line.kind == self.kind)

    def send(self, data: bytes, *, control: bool = False) -> None:
        handle = self.control if control else self.media
        self.sockets.send(handle, data, ("127.0.0.1", self.answer.port + control))

    async def hear(self) -> list[tuple[int, bytes]]:
        await asyncio.sleep(0.1)
        return [(int(handle == self.control), data) for handle, data, _ in self.sockets.drain()]


class Talk:
    """A carrier's call to phone 1001, both with something besides audio."""

    def __init__(self, centre: Centre, kind: str) -> None:
        self.centre = centre
        self.kind = kind

    async def begin(self, *, takes: bool = True, video_first: bool = False) -> Talk:
        centre = self.centre
        alice = await centre.phone("1001", Ignore())
        if video_first:
            describe = FakeCall._describe

            def with_video(call: FakeCall, *, answer: bool = False) -> bytes:
                video = MediaDescription("video", 41000, "RTP/AVP", ("97",), attributes=H264)
                base = SessionDescription.parse(describe(call, answer=answer))
                return bytes(SessionDescription(base.origin, (*base.media, video), base.connection))

            FakeCall._describe = with_video  # type: ignore[method-assign,assignment]
            try:
                caller = await centre.carrier.call("4008000005")
            finally:
                FakeCall._describe = describe  # type: ignore[method-assign]
        else:
            caller = await centre.carrier.call("4008000005")
        agent = await alice.next_call()
        self.one, self.two = Extra(centre, caller, self.kind), Extra(centre, agent, self.kind, takes=takes)
        await asyncio.sleep(0.5)
        agent.answer()
        await caller.answered()
        await self.audio()
        return self

    async def audio(self) -> None:
        await self.one.call.hears(AGENT_HZ["1001"])
        await self.two.call.hears(CALLER_HZ)

    async def end(self) -> None:
        await self.one.call.hangup()
        await self.two.call.ended()
        await asyncio.sleep(3)
        assert self.centre.switch.engine.open_ports == 0


def passing(tmp_path: Path, video: str = "pass", t38: str = "pass") -> Centre:
    return Centre(
        tmp_path, config=CONFIG.replace("clock_ms = 20", f'clock_ms = 20\nvideo = "{video}"\nt38 = "{t38}"')
    )


async def test_fax_is_passed_on_and_audio_comes_back(tmp_path: Path) -> None:
    async with passing(tmp_path) as centre:
        talk = await Talk(centre, "image").begin()
        one, two = talk.one, talk.two
        assert await two.offer("-audio", "image") == 200
        assert one.offers[-1].audio is None
        for side in (one, two):
            assert side.answer.protocol == "udptl"
            assert side.answer.attributes == T38
            assert side.answer.port not in (0, 41000)
        one.send(b"\x00\x00\x01\x02udptl")
        assert await two.hear() == [(0, b"\x00\x00\x01\x02udptl")]
        two.send(b"")
        two.send(b"\xff" * 900)
        assert await one.hear() == [(0, b""), (0, b"\xff" * 900)]
        await asyncio.sleep(10)
        for _ in range(6):  # longer than the time-out of the audio, which rests
            await asyncio.sleep(5)
            one.send(b"page")
            two.send(b"page")
        assert one.call.state == two.call.state == "answered"
        assert await two.offer("audio", "-image") == 200
        await talk.audio()
        assert centre.switch.engine.open_ports == 2
        await talk.end()


@pytest.mark.parametrize("takes", [True, False])
async def test_a_fax_that_the_other_side_does_not_take_is_refused_and_audio_goes_on(
    tmp_path: Path, takes: bool
) -> None:
    """It refuses the re-INVITE, or answers it and refuses its only line."""
    async with passing(tmp_path) as centre:
        talk = await Talk(centre, "image").begin(takes=takes)
        if takes:
            talk.two.refuses = 488
        assert await talk.one.offer("-audio", "image") == 488
        await talk.audio()
        assert centre.switch.engine.open_ports == 2
        assert await talk.one.offer("audio") == 200  # nothing is left of it
        await talk.audio()
        await talk.end()


async def test_by_policy_fax_is_refused_with_488(tmp_path: Path) -> None:
    async with passing(tmp_path, t38="refuse") as centre:
        talk = await Talk(centre, "image").begin()
        assert await talk.one.offer("-audio", "image") == 488
        assert talk.two.offers == []
        await talk.audio()
        await talk.end()


async def test_fax_without_another_party_is_refused(tmp_path: Path) -> None:
    async with passing(tmp_path) as centre:
        caller = await centre.carrier.call("4008000001")
        await caller.answered()
        extra = Extra(centre, caller, "image")
        assert await extra.offer("-audio", "image") == 488
        await caller.hears(CALLER_HZ)  # the echo
        await caller.hangup()


async def test_video_is_passed_on_with_its_reports(tmp_path: Path) -> None:
    async with passing(tmp_path) as centre:
        talk = await Talk(centre, "video").begin()
        one, two = talk.one, talk.two
        assert await one.offer("audio", "video") == 200
        for side in (one, two):
            assert side.answer.attributes[:3] == H264
        one.send(b"\x80\x61 a picture")
        one.send(b"\x81\xce please a whole one", control=True)
        assert await two.hear() == [(0, b"\x80\x61 a picture"), (1, b"\x81\xce please a whole one")]
        two.send(b"\x80\x61 another")
        assert await one.hear() == [(0, b"\x80\x61 another")]
        await talk.audio()
        assert await one.offer("audio", "video") == 200  # a session refresh
        one.send(b"\x80\x61 a third")
        assert await two.hear() == [(0, b"\x80\x61 a third")]
        assert await two.offer("audio", "-video") == 200
        await asyncio.sleep(0.5)
        assert centre.switch.engine.open_ports == 2
        assert not one.answer.port
        await talk.audio()
        await talk.end()


async def test_video_that_the_other_side_does_not_take_is_refused_in_its_line(tmp_path: Path) -> None:
    async with passing(tmp_path) as centre:
        talk = await Talk(centre, "video").begin(takes=False)
        assert await talk.one.offer("audio", "video") == 200
        assert talk.one.answer.port == 0
        assert centre.switch.engine.open_ports == 2
        await talk.audio()
        await talk.end()


async def test_by_policy_video_is_refused_in_its_line(tmp_path: Path) -> None:
    async with passing(tmp_path, video="refuse") as centre:
        talk = await Talk(centre, "video").begin(video_first=True)
        assert await talk.one.offer("audio", "video") == 200
        assert talk.one.answer.port == 0
        assert [line.kind for offer in talk.two.offers for line in offer.media if line.port] == ["audio"]
        await talk.audio()
        await talk.end()


async def test_video_that_the_caller_offered_first_comes_when_they_talk(tmp_path: Path) -> None:
    async with passing(tmp_path) as centre:
        talk = await Talk(centre, "video").begin(video_first=True)
        await asyncio.sleep(1)
        one, two = talk.one, talk.two
        one.send(b"\x80\x61 a picture")
        assert await two.hear() == [(0, b"\x80\x61 a picture")]
        two.send(b"\x80\x61 another")
        assert await one.hear() == [(0, b"\x80\x61 another")]
        await talk.audio()
        await talk.end()


async def test_a_stranger_cannot_send_into_a_fax(tmp_path: Path) -> None:
    async with passing(tmp_path) as centre:
        talk = await Talk(centre, "image").begin()
        assert await talk.one.offer("-audio", "image") == 200
        sockets = centre.network.sockets("127.6.6.6")
        handle = sockets.open("127.6.6.6", 41000)
        for _ in range(100):
            sockets.send(handle, b"not a fax", ("127.0.0.1", talk.one.answer.port))
            await asyncio.sleep(0.02)
        assert await talk.two.hear() == []
        talk.two.send(b"secret page")
        assert await talk.one.hear() == [(0, b"secret page")]
        assert list(sockets.drain()) == []
        await talk.end()
