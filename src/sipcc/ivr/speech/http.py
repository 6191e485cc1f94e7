"""A voice behind HTTP: a server of the form of OpenAI's ``/v1/audio/speech``, or one of a simple form."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from sipcc.errors import ConfigError
from sipcc.ivr.speech.settings import SpeechSettings
from sipcc.ivr.speech.voice import SpeechError, SpeechStream, Voice, WavReader, chosen_voice

if TYPE_CHECKING:
    import httpx

OPENAI_RATE_HZ: Final = 24_000
"""The rate of bare samples where the answer does not tell it."""

OPENAI_VOICE: Final = "alloy"
"""The voice of that form where the settings name none: it is required there."""

_RATE = re.compile(r"audio/(?:pcm|x-pcm|raw)\b[^;]*(?:;.*?\brate=(\d{4,6}))?", re.IGNORECASE)


class HttpVoice:
    """Posts texts, and reads WAV or bare samples as they come. Redirections are not followed."""

    def __init__(self, settings: SpeechSettings) -> None:
        """Take the settings.

        Raises:
            ConfigError: there is no URL.
        """
        self._settings, self._http = settings, settings.http
        if not self._http.url.startswith(("http://", "https://")):
            raise ConfigError("speech.http.url", f"{self._http.url!r} is no URL", hint="such as https://...")
        self.key = f"http {self._http.form} {self._http.url} {self._http.model} {settings.speed:g}"
        self._client: asyncio.Future[httpx.AsyncClient] | None = None

    def voice_of(self, language: str, voice: str) -> str:
        """The name that the server knows the voice by; empty leaves it to a server of the simple form."""
        chosen = chosen_voice(language, voice, self._settings.voices, {})
        return chosen or (OPENAI_VOICE if self._http.form == "openai" else "")

    async def begin(self, text: str, *, language: str, voice: str) -> SpeechStream:
        """Post the text, and wait for the first samples of the answer."""
        import httpx

        client = await self._made()
        body = msgspec.json.encode(self._body(text, language, self.voice_of(language, voice)))
        try:
            response = await client.send(
                client.build_request("POST", self._http.url, content=body), stream=True
            )
        except httpx.HTTPError as error:
            raise SpeechError(f"{self._http.url}: {error or type(error).__name__}") from error
        try:
            if response.status_code != 200:
                raise SpeechError(f"{self._http.url} answered with the status {response.status_code}")
            reader, rate_hz = _reader_of(response.headers.get("Content-Type", ""))
            raw = response.aiter_raw()
            first = b""
            while not first:
                piece = await anext(raw, None)
                if piece is None:
                    raise SpeechError(f"{self._http.url} answered without any sound")
                first = reader.feed(piece) if reader is not None else piece
        except httpx.HTTPError as error:
            await response.aclose()
            raise SpeechError(f"{self._http.url}: {error or type(error).__name__}") from error
        except BaseException:
            await response.aclose()
            raise
        rate_hz = reader.rate_hz if reader is not None else rate_hz
        return SpeechStream(rate_hz, self._pieces(raw, reader, first), response.aclose)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await (await self._client).aclose()

    def _body(self, text: str, language: str, voice: str) -> dict[str, Any]:
        speed = self._settings.speed
        if self._http.form == "openai":
            return {
                "model": self._http.model,
                "input": text,
                "voice": voice,
                "response_format": "wav",
                "speed": speed,
            }
        return {"text": text, "language": language, "voice": voice, "speed": speed}

    async def _pieces(
        self, raw: AsyncIterator[bytes], reader: WavReader | None, first: bytes
    ) -> AsyncIterator[bytes]:
        import httpx

        yield first
        try:
            async for piece in raw:
                yield reader.feed(piece) if reader is not None else piece
        except httpx.HTTPError as error:
            raise SpeechError(f"{self._http.url}: {error or type(error).__name__}") from error

    async def _made(self) -> httpx.AsyncClient:
        """The client, made in a thread: what it needs for TLS takes 0.1 s."""
        if self._client is None:
            self._client = asyncio.get_running_loop().run_in_executor(None, self._make)
        return await asyncio.shield(self._client)

    def _make(self) -> httpx.AsyncClient:
        import httpx

        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._http.authorization:
            headers["Authorization"] = self._http.authorization
        # no deadline of its own: the speaker has one; no proxies of the environment: they would read all
        verify = self._http.url.startswith("https:")
        return httpx.AsyncClient(headers=headers, timeout=None, trust_env=False, verify=verify)


def _reader_of(content_type: str) -> tuple[WavReader | None, int]:
    """What reads an answer: a WAV, or None for bare samples at the rate that goes with it."""
    bare = _RATE.match(content_type.strip())
    if bare is not None:
        return None, int(bare[1] or OPENAI_RATE_HZ)
    return WavReader(), 0


_: type[Voice] = HttpVoice
