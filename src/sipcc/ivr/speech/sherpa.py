"""A voice of sherpa-onnx: a neural model on this machine, which speaks sentence by sentence in a thread.

The package is imported with the first text, and the model is read then; a model has to be fetched by whoever
uses it. Models with a lexicon speak with versions 1 and 2 of the package. Those that know words by the data
of espeak-ng (`data_dir`, as models of piper do) speak with version 1 alone: version 2 wants sounds of its
caller.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from sipcc.errors import ConfigError
from sipcc.ivr.speech.settings import SherpaSettings, SpeechSettings
from sipcc.ivr.speech.voice import SpeechError, SpeechStream, Voice, chosen_voice

_MISSING: Final = (
    "the package sherpa-onnx is not there"
    " (pip install sherpa-onnx, or name another engine as [speech] engine)"
)


class SherpaVoice:
    """Speaks by a model; one text at a time, as one model does. A voice is the number of a speaker."""

    def __init__(self, settings: SpeechSettings) -> None:
        """Take the settings.

        Raises:
            ConfigError: they name no model.
        """
        if not settings.sherpa.model:
            raise ConfigError("speech.sherpa.model", "no model is named", hint="the path of a model.onnx")
        self._settings = settings
        self.key = f"sherpa {settings.sherpa} {settings.speed:g}"
        self._tts: asyncio.Future[Any] | None = None
        self._turn = asyncio.Lock()

    def voice_of(self, language: str, voice: str) -> str:
        """The number of the speaker."""
        return chosen_voice(language, voice, self._settings.voices, {}) or "0"

    async def begin(self, text: str, *, language: str, voice: str) -> SpeechStream:
        """Begin to speak in a thread."""
        name = self.voice_of(language, voice)
        if not (name.isascii() and name.isdigit() and len(name) < 7):
            raise SpeechError(f"the voice {name!r} is no number of a speaker")
        if self._tts is None:
            self._tts = asyncio.get_running_loop().run_in_executor(None, _load, self._settings.sherpa)
        try:
            tts = await asyncio.shield(self._tts)
        except SpeechError:
            self._tts = None  # it may be there next time
            raise
        await self._turn.acquire()
        work = _Work(tts, text, int(name), self._settings.speed)
        return SpeechStream(int(tts.sample_rate), work.pieces(), lambda: self._over(work))

    async def _over(self, work: _Work) -> None:
        try:
            await work.stop()
        finally:
            self._turn.release()

    async def close(self) -> None:
        """The model goes with the process."""


class _Work:
    """One text: a thread that speaks it."""

    def __init__(self, tts: Any, text: str, speaker: int, speed: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._stopped = False
        self._thread = self._loop.run_in_executor(None, self._speak, tts, text, speaker, speed)
        self._thread.add_done_callback(lambda _: self._heard.put_nowait(None))

    def _speak(self, tts: Any, text: str, speaker: int, speed: float) -> None:
        tts.generate(text, sid=speaker, speed=speed, callback=self._sentence)

    def _sentence(self, samples: Iterable[float], _progress: float) -> int:
        """Take a sentence, in the thread; 0 stops the model, 1 lets it go on."""
        pcm = array("h", (max(-32768, min(32767, round(value * 32767))) for value in samples))
        self._loop.call_soon_threadsafe(self._heard.put_nowait, pcm.tobytes())
        return 0 if self._stopped else 1

    async def pieces(self) -> AsyncIterator[bytes]:
        """The sentences as they come."""
        while (piece := await self._heard.get()) is not None:
            yield piece
        try:
            await self._thread
        except Exception as error:  # whatever the package raises
            raise SpeechError(f"sherpa-onnx: {error}") from error

    async def stop(self) -> None:
        """Stop after the sentence that is spoken now."""
        self._stopped = True
        await asyncio.gather(self._thread, return_exceptions=True)


def _load(settings: SherpaSettings) -> Any:
    """Read the model, in a thread."""
    try:
        import sherpa_onnx
    except ImportError as error:
        raise SpeechError(_MISSING) from error
    shared: dict[str, Any] = {
        "tokens": settings.tokens,
        "lexicon": settings.lexicon,
        "data_dir": settings.data_dir,
    }
    if settings.kind == "matcha":
        part: Any = sherpa_onnx.OfflineTtsMatchaModelConfig(
            acoustic_model=settings.model, vocoder=settings.vocoder, **shared
        )
    elif settings.kind == "kokoro":
        part = sherpa_onnx.OfflineTtsKokoroModelConfig(model=settings.model, voices=settings.voices, **shared)
    else:
        part = sherpa_onnx.OfflineTtsVitsModelConfig(model=settings.model, **shared)
    config = sherpa_onnx.OfflineTtsConfig(
        model=sherpa_onnx.OfflineTtsModelConfig(**{settings.kind: part}, num_threads=settings.threads),
        rule_fsts=settings.rule_fsts,
        max_num_sentences=1,
    )
    if not config.validate():
        raise SpeechError(f"sherpa-onnx cannot use the model {settings.model} (see [speech.sherpa])")
    return sherpa_onnx.OfflineTts(config)


_: type[Voice] = SherpaVoice
