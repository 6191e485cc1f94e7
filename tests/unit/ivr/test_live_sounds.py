"""Sounds by URL as files: the same bytes once, the oldest go first, and nothing is left behind."""

from pathlib import Path

import pytest

from sipcc.errors import SipccError
from sipcc.ivr.fetch import Fetched, FetchError, FetchRequest
from sipcc.ivr.live_sounds import Sounds


class Web:
    """Answers with a body of ten bytes that depends on the URL."""

    async def fetch(self, request: FetchRequest) -> Fetched:
        if request.url.endswith("gone"):
            raise FetchError(request.url, "status", "404", status=404)
        return Fetched(url=request.url, body=request.url[-1:].encode() * 10)


def contents(*paths: str) -> list[bytes | None]:
    return [Path(path).read_bytes() if Path(path).exists() else None for path in paths]


async def test_the_same_sound_is_one_file_and_the_oldest_goes() -> None:
    sounds = Sounds(Web(), limit_bytes=25)
    first = await sounds.path_of("https://example.com/a")
    assert await sounds.path_of("https://example.org/a") == first
    second = await sounds.path_of("https://example.com/b")
    await sounds.path_of("https://example.com/a")
    third = await sounds.path_of("https://example.com/c")
    assert contents(first, second, third) == [b"a" * 10, None, b"c" * 10]
    sounds.close()
    assert contents(first, third) == [None, None]


async def test_what_cannot_be_had_is_an_error() -> None:
    with pytest.raises(SipccError):
        await Sounds(Web()).path_of("https://example.com/gone")
