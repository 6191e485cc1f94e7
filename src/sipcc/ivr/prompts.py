"""The catalogue of prompts: names to sound files, and to texts that a voice reads, per language.

A name is looked for in this order, with each of `SUFFIXES`:

1. the operator's table (`sipcc.ivr.prompttable`), for this language, then its base;
2. the operator's folder: ``zh-CN/NAME``, ``zh/NAME``, ``NAME``;
3. the built-in sounds in the same way;
4. the same three for the default language, English, and any other language. This is counted and logged:
   the caller hears a language that was not asked for.

A name with a suffix is a path: absolute, or relative to the operator's folder (with the order above), or
to the working directory. A name that is not found sounds as `FALLBACK`, and is counted and logged;
a call never fails for a prompt. Some names are no files: ``silence:500`` is half a second of silence,
``say:number:12`` says a value, ``text:Hello`` is read by the voice, and ``queue:sales:length`` is what is so
at this moment (`LiveValues`). A text of the table may hold such values too: ``{queue:sales:length}``.

`resolve` never waits. Texts are spoken ahead (`texts`), or when somebody is about to hear them (`prepare`);
one that is not spoken when it is resolved is as if it was not there, and is spoken for the next time.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from sipcc.ivr.prompttable import LANGUAGE, PromptTable, read_table
from sipcc.ivr.say import LANGUAGES, base_language, say, say_text
from sipcc.ivr.settings import IvrSettings
from sipcc.log import get_logger
from sipcc.rtp.flow import PlayFile, PlayItem, PlaySilence, PlayTone

if TYPE_CHECKING:
    from sipcc.ivr.speech.speaker import Speaker

SOUNDS: Final = Path(__file__).parent / "sounds"
"""The built-in sounds."""

SUFFIXES: Final = (".wav", ".flac", ".ogg", ".mp3")
"""In the order in which they are looked for."""

BARE: Final = (".ulaw", ".alaw")
"""Endings of bare G.711, which are looked for only where a name has them."""

FALLBACK: Final[tuple[PlayItem, ...]] = (
    PlayTone(frequencies_hz=(520.0,), duration_ms=300),
    PlaySilence(duration_ms=200),
) * 2
"""In place of a prompt that is missing; sounds like the player's tone for a file that cannot be read."""

MAX_SILENCE_MS: Final = 60_000
MAX_NAME: Final = 1024

MAX_REPORTED: Final = 1000
"""So many names are counted apart; names may come from outside, and are without number."""

MAX_REMEMBERED: Final = 10_000
"""Prompts found and remembered; then the memory starts anew."""

LIVE: Final = re.compile(r"\{(queue:[^{}]{1,200})\}")
"""A value of this moment in a text."""

_log = get_logger("sipcc.ivr.prompts")


class LiveValues(Protocol):
    """Knows what is so at this moment."""

    def value(self, name: str) -> tuple[str, object]:
        """The kind and the value behind a name such as ``queue:sales:length``, as `sipcc.ivr.say` takes them.

        Raises:
            ValueError: nothing of that name is known; the message says what is.
        """
        ...


class Found(NamedTuple):
    """What a prompt is, and in which language; "" for one that is the same for all."""

    path: Path | None
    """The file; None for a text."""
    language: str
    text: str = ""
    voice: str = ""
    """The voice of the text; empty for the language's."""


class MissingPrompt(NamedTuple):
    """A prompt that a caller would not hear as meant."""

    name: str
    language: str
    message: str
    heard_in: str = ""
    """The language in which it is heard instead; empty for a tone."""


class PromptCatalogue:
    """Finds prompts; a `sipcc.call.protocols.PromptSource`.

    What was found is remembered; `reload` forgets it. `misses` and `fallbacks` count by (name, language)
    what was not there, or only in another language.
    """

    def __init__(
        self,
        settings: IvrSettings | None = None,
        *,
        sounds: Path = SOUNDS,
        table: PromptTable | None = None,
        speaker: Speaker | None = None,
        live: LiveValues | None = None,
    ) -> None:
        """Look where the settings say.

        Args:
            settings: The folder and the default language.
            sounds: The built-in sounds.
            table: The operator's table; None reads the one in the folder.
            speaker: Reads texts; without one no text is heard.
            live: Knows how queues stand; without it they cannot be told.

        Raises:
            ConfigError: the table in the folder is wrong.
        """
        self._settings = settings or IvrSettings()
        self._roots = (Path(self._settings.prompts), sounds)
        self.table = read_table(self._roots[0]) if table is None else table
        self._speaker = speaker
        self._live = live
        self._found: dict[tuple[str, str], Found] = {}
        self.misses: Counter[tuple[str, str]] = Counter()
        self.fallbacks: Counter[tuple[str, str]] = Counter()

    def reload(self) -> None:
        """Look at the folders anew, as after files were added or replaced."""
        self._found.clear()

    def resolve(self, names: Sequence[str], language: str) -> list[PlayItem]:
        """What to play for `names`; an unknown name becomes the fallback tone and is counted."""
        items: list[PlayItem] = []
        for name in names:
            items += self._items(name, language or self._settings.language)
        return items

    def say(self, kind: str, value: object, language: str) -> list[PlayItem]:
        """The fragments that say `value`.

        Raises:
            ValueError: the kind is not known, or `value` is none of that kind.
        """
        return self.resolve(self._fragments(kind, value, language or self._settings.language), language)

    def prepare(self, names: Sequence[str], language: str) -> Coroutine[Any, Any, None] | None:
        """What to wait for before `resolve` can play all of `names`; None when there is nothing to wait for.

        It never fails: what cannot be spoken is passed over by `resolve`.
        """
        if self._speaker is None:
            return None
        late = [
            (text, found.language or language, found.voice)
            for name in names
            if (found := self._text(name, language or self._settings.language)) is not None
            and (text := self._filled(found, language))
            and self._spoken(found, text, language) is None
        ]
        return self._speak(late) if late else None

    def text_of(self, name: str, language: str) -> str:
        """The text that is read for a name; empty where a file is played, or nothing is there."""
        found = self._text(name, language or self._settings.language)
        return "" if found is None else found.text

    def texts(self) -> list[tuple[str, str, str]]:
        """(text, language, voice) of all that can be spoken ahead."""
        return [each for each in self.table.texts() if not LIVE.search(each[0])]

    def find(self, name: str, language: str) -> Found | None:
        """What prompt `name` is for `language`; None when it is nowhere.

        Raises:
            ValueError: the name is not one that may be looked for.
        """
        key = (name, language)
        if key not in self._found:
            hits = self._candidates(name, language)
            found = next((hit for hit in hits if hit.path is None or hit.path.is_file()), None)
            if found is None:
                return None
            if len(self._found) >= MAX_REMEMBERED:
                self._found.clear()
            self._found[key] = found
        return self._found[key]

    def missing(self, names: Iterable[str], language: str = "") -> list[MissingPrompt]:
        """Which of `names` a caller with `language` would not hear as meant, and why."""
        language = language or self._settings.language
        report = []
        for name in dict.fromkeys(names):
            problem = self._problem(name, language)
            if problem is not None:
                report.append(problem)
        return report

    def _problem(self, name: str, language: str) -> MissingPrompt | None:
        try:
            if name.startswith("text:"):
                return None if name[5:].strip() else MissingPrompt(name, language, "the text is empty")
            if name.startswith("queue:") and self._live is None:
                return None  # nobody here knows any queue
            if is_special(name):
                self._special_items(name, language)
                return None
            found = self.find(name, language)
        except ValueError as error:
            return MissingPrompt(name, language, str(error))
        if found is None:
            message = f"prompt {name!r} is not there; a tone would be heard in its place"
            return MissingPrompt(name, language, message)
        if _other_language(found, language):
            message = f"prompt {name!r} is there for {found.language!r}, not for {language!r}"
            return MissingPrompt(name, language, message, found.language)
        return None

    def _items(self, name: str, language: str) -> list[PlayItem]:
        try:
            if is_special(name):
                return self._special_items(name, language)
            found = self.find(name, language)
        except ValueError:
            return self._miss(name, language, "name or value refused")
        if found is None:
            return self._miss(name, language, "not found")
        path = self._playable(found, name, language)
        if path is None:
            return self._miss(name, language, "not spoken")
        if _other_language(found, language):
            self._fall_back(name, language, found.language)
        return [PlayFile(path)]

    def _playable(self, found: Found, name: str, language: str) -> str | None:
        """The file of a prompt. In the place of a text that is not spoken yet comes the next best file."""
        if found.path is not None:
            return str(found.path)
        text = self._filled(found, language)
        path = self._spoken(found, text, language)
        if path is None:
            if self._speaker is not None:
                self._speaker.begin(text, language=found.language or language, voice=found.voice)
            hits = () if name.startswith("text:") else self._candidates(name, language)
            path = next((str(hit.path) for hit in hits if hit.path is not None and hit.path.is_file()), None)
        return path

    def _spoken(self, found: Found, text: str, language: str) -> str | None:
        if self._speaker is None:
            return None
        return self._speaker.ready(text, language=found.language or language, voice=found.voice)

    def _text(self, name: str, language: str) -> Found | None:
        """The text behind a name; None for what is no text."""
        try:
            if name.startswith("text:"):
                return Found(None, "", name[5:])
            found = None if is_special(name) else self.find(name, language)
        except ValueError:
            return None
        return found if found is not None and found.path is None else None

    def _filled(self, found: Found, language: str) -> str:
        """The text with the values of this moment in it; what cannot be told is left out."""
        spoken = self._said_in(found.language or language)

        def value(match: re.Match[str]) -> str:
            try:
                kind, value = self._value(match[1])
                return say_text(kind, value, spoken)
            except ValueError:
                self._miss(match[1], language, "not known")
                return ""

        return LIVE.sub(value, found.text)

    def _value(self, name: str) -> tuple[str, object]:
        if self._live is None:
            raise ValueError(f"{name!r} can be told by a running switch alone")
        return self._live.value(name)

    async def _speak(self, texts: Sequence[tuple[str, str, str]]) -> None:
        from sipcc.ivr.speech.voice import SpeechError

        assert self._speaker is not None
        for text, language, voice in texts:
            try:
                await self._speaker.speak(text, language=language, voice=voice)
            except SpeechError as error:
                _log.debug(
                    "ivr.prompt_unspoken", error=str(error)
                )  # the speaker has said so, and `_miss` will

    def _fall_back(self, name: str, language: str, used: str) -> None:
        if _count(self.fallbacks, name, language):
            _log.warning("ivr.prompt_fell_back", prompt=_shown(name), language=language, used=used)

    def _miss(self, name: str, language: str, reason: str) -> list[PlayItem]:
        if _count(self.misses, name, language):
            _log.warning("ivr.prompt_missing", prompt=_shown(name), language=language, reason=reason)
        return list(FALLBACK)

    def _special_items(self, name: str, language: str) -> list[PlayItem]:
        kind, _, argument = name.partition(":")
        if kind == "text":
            path = self._playable(Found(None, "", argument), name, language)
            return self._miss(name, language, "not spoken") if path is None else [PlayFile(path)]
        if kind == "queue":
            return self.say(*self._value(name), language)
        if kind == "silence":
            if not re.fullmatch(r"[0-9]{1,5}", argument) or int(argument) > MAX_SILENCE_MS:
                raise ValueError(f"{name!r}: 0 to {MAX_SILENCE_MS} ms are needed, as in 'silence:500'")
            return [PlaySilence(int(argument))]
        said, _, value = argument.partition(":")
        return self.say(said, value, language)

    def _fragments(self, kind: str, value: object, language: str) -> list[str]:
        used = self._said_in(language)
        if used != language:
            self._fall_back(f"say:{kind}", language, used)
        return say(kind, value, used)

    def _said_in(self, language: str) -> str:
        """The language in which values are said to somebody who speaks `language`."""
        spoken = (language, self._settings.language, "en")
        return next(step for step in spoken if base_language(step) in LANGUAGES)

    def _candidates(self, name: str, language: str) -> Iterator[Found]:
        relative, suffixes = _checked(name)
        if relative.is_absolute():
            yield Found(relative, "")
            return
        for step in self._language_steps(language):
            written = self.table.of(name, step)
            if written is not None:
                entry, of = written
                path = self._roots[0] / entry.file if entry.file else None
                yield Found(path, of, entry.text, entry.voice)
            for root in self._roots:
                for folder in dict.fromkeys((step, base_language(step), "")):
                    for suffix in suffixes:
                        yield Found(root / folder / f"{relative}{suffix}", folder)
        if suffixes == ("",):
            yield Found(relative, "")

    def _language_steps(self, language: str) -> Iterator[str]:
        """The languages to look in, the wanted one first."""
        if LANGUAGE.fullmatch(language):
            yield language
        yield self._settings.language
        yield "en"
        folders = {
            path.name for root in self._roots if root.is_dir() for path in root.iterdir() if path.is_dir()
        }
        folders.update(self.table.languages)
        yield from sorted(folder for folder in folders if LANGUAGE.fullmatch(folder))


def _count(counter: Counter[tuple[str, str]], name: str, language: str) -> bool:
    """Count; True for the first time, which is the one to log. What is told apart is bounded."""
    key = (_shown(name), language)
    if key not in counter and len(counter) >= MAX_REPORTED:
        key = ("(others)", "")
    counter[key] += 1
    return counter[key] == 1


def _shown(name: str) -> str:
    """A name as reports may show it: values to be said may be secret, and names from outside long."""
    if name.startswith("text:"):
        return "text:"
    return ":".join(name.split(":", 2)[:2]) if name.startswith("say:") else name[:200]


def cure_of(name: str, folder: str = "the prompts folder") -> str:
    """What to do about a prompt that `PromptCatalogue.missing` tells of, by the kind of its name.

    Args:
        name: The prompt.
        folder: Where its file belongs.
    """
    kind, colon, _ = name.partition(":")
    if colon and kind in _CURES:
        return _CURES[kind]
    try:
        path, suffixes = _checked(name)
    except ValueError:
        return f"write a name below {folder}, as in welcome or sounds/hello.wav"
    if " " in name and suffixes != ("",):
        return "name a prompt, as in welcome; a text is written with text: before it, as in text:Good morning"
    if path.is_absolute():
        return "put a sound file there, or correct the name"
    return f"put {name}{'' if suffixes == ('',) else '.wav'} into {folder}, or correct the name"


_CURES: Final = {
    "text": "write the text after it, as in text:Good morning",
    "say": "write a kind and a value of it, as in say:money:12.50",
    "queue": "name a queue, and length or wait, as in queue:service:length",
    "silence": "write milliseconds, as in silence:500",
}


def _other_language(found: Found, language: str) -> bool:
    return found.language != "" and base_language(found.language) != base_language(language)


def is_special(name: str) -> bool:
    """Whether a name stands in no file and no table: a silence, a value, a text, what a queue has to tell."""
    return name.startswith(("silence:", "say:", "text:", "queue:"))


def _checked(name: str) -> tuple[Path, tuple[str, ...]]:
    """(path, suffixes to try) of a name; ValueError when it might lead out of the folders.

    Names may come from webhooks and flows, so ``..`` is refused wherever it stands.
    """
    if not name or len(name) > MAX_NAME or not name.isprintable() or "\\" in name:
        raise ValueError(f"prompt name {name[:80]!r} is empty, too long, or has characters that no name has")
    parts = name.split("/")
    if ".." in parts or "." in parts or name.startswith("~") or "" in parts[1:]:
        raise ValueError(f"prompt name {name!r} may not point out of its folder")
    path = Path(name)
    if path.suffix.lower() in (*SUFFIXES, *BARE):
        return path, ("",)
    if path.is_absolute():
        raise ValueError(f"prompt {name!r} needs one of the suffixes {', '.join(SUFFIXES)}")
    return path, SUFFIXES
