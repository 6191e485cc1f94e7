"""Sounds by URL as files: the same bytes once, the oldest go first, and nothing is left behind."""

from contextlib import closing
from pathlib import Path

import pytest

from sipcc.errors import SipccError
from sipcc.ivr.fetch import Fetched, FetchError, FetchRequest
from sipcc.ivr.live_sounds import Sounds
from sipcc.ivr.steps import Audio
from sipcc.rtp.files import seconds_of
from sipcc.rtp.flow import PlayFile
from sipcc.testing.audio import tone, write_wav


class Web:
    """Answers with a body of ten bytes that depends on the URL."""

    async def fetch(self, request: FetchRequest) -> Fetched:
        if request.url.endswith("gone"):
            raise FetchError(request.url, "status", "404", status=404)
        return Fetched(url=request.url, body=request.url[-1:].encode() * 10, media_type="audio/basic")


def contents(*paths: str) -> list[bytes | None]:
    return [Path(path).read_bytes() if Path(path).exists() else None for path in paths]


async def test_the_same_sound_is_one_file_and_the_oldest_goes() -> None:
    sounds = Sounds(Web(), limit_bytes=25)
    first = await sounds.path_of(Audio("https://example.com/a"))
    assert await sounds.path_of(Audio("https://example.org/a")) == first
    second = await sounds.path_of(Audio("https://example.com/b"))
    await sounds.path_of(Audio("https://example.com/a"))
    third = await sounds.path_of(Audio("https://example.com/c"))
    assert contents(first, second, third) == [b"a" * 10, None, b"c" * 10]
    sounds.close()
    assert contents(first, third) == [None, None]


async def test_what_cannot_be_had_is_an_error() -> None:
    with pytest.raises(SipccError):
        await Sounds(Web()).path_of(Audio("https://example.com/gone"))


class Answer:
    def __init__(self, body: bytes, media_type: str = "") -> None:
        self.body, self.media_type = body, media_type

    async def fetch(self, request: FetchRequest) -> Fetched:
        return Fetched(url=request.url, body=self.body, media_type=self.media_type)


@pytest.mark.parametrize(
    ("url", "media_type", "ending"),
    [
        ("https://example.com/a", "audio/basic", ".ulaw"),
        ("https://example.com/a.wav", "audio/x-alaw-basic", ".alaw"),
        ("https://example.com/a.ul?x=1", "", ".ulaw"),
        ("https://example.com/a.alaw", "application/octet-stream", ".alaw"),
    ],
)
async def test_bare_g711_is_known_by_its_type_or_its_name(url: str, media_type: str, ending: str) -> None:
    with closing(Sounds(Answer(b"\x00\x7f" * 400, media_type))) as sounds:
        path = await sounds.path_of(Audio(url))
        assert Path(path).suffix == ending
        assert seconds_of(PlayFile(path)) == 0.1


async def test_what_tells_itself_what_it_is_needs_no_type(tmp_path: Path) -> None:
    write_wav(tmp_path / "a.wav", tone(440, 0.5))
    answer = Answer((tmp_path / "a.wav").read_bytes(), "audio/basic")
    with closing(Sounds(answer)) as sounds:
        assert seconds_of(PlayFile(await sounds.path_of(Audio("https://example.com/a")))) == 0.5


@pytest.mark.parametrize("body", [b"", b"<html>sorry</html>", b"RIFFWAVE"])
async def test_what_is_no_sound_is_an_error(body: bytes) -> None:
    with closing(Sounds(Answer(body, "audio/x-wav"))) as sounds:
        for _ in range(2):
            with pytest.raises(SipccError, match="no sound"):
                await sounds.path_of(Audio("https://example.com/a.wav"))
