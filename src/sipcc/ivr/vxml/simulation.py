"""VoiceXML without a telephone: load a document, say, press, be silent, hang up; read what came of it.

It is synchronous, and its clock is virtual: nothing waits. A simulation runs until the document waits for the
caller, and goes on when it is told what the caller does::

    sim = Simulation("http://example.com/order.vxml", folders={"http://example.com/": Path("app")})
    assert sim.waiting == "input"
    sim.say("two pizzas")
    sim.press("1")
    assert sim.prompts[-1] == "Thank you."
    assert sim.exit.reason == "exit"

`simulate` does all of that in one call, from a list of what the caller does.
"""

from __future__ import annotations

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from sipcc.call.digits import KEYS
from sipcc.ivr.fetch import Content, Fetcher, FetchRequest
from sipcc.ivr.js import Json, Undefined
from sipcc.ivr.steps import Gather, Record, Transfer
from sipcc.ivr.vxml.documents import Library
from sipcc.ivr.vxml.interpreter import Setup, interpret
from sipcc.ivr.vxml.limits import Limits, ParseLimits
from sipcc.ivr.vxml.platform import (
    OUTCOMES,
    Caller,
    Deed,
    HungUp,
    Pressed,
    Said,
    Several,
    Silent,
    Spoke,
    TransferEnds,
    Waiting,
    told,
)
from sipcc.ivr.vxml.secrets import Secrets, stars
from sipcc.ivr.vxml.signals import Exit, Note
from sipcc.ivr.vxml.simfetch import FetchFunction, FetchSeconds, Watched, fetcher_of


class NotWaiting(RuntimeError):
    """The document does not wait for what was given to it."""


class Simulation:
    """One simulated call; it has run until its first question when this returns.

    Args:
        url: The first document.
        fetch: A function that gets what a `FetchRequest` asks for and raises `FetchError` when it cannot;
            or a `Fetcher`. Without it, `documents` and `folders` are looked at; without those too, the server
            of `url` is asked over HTTP, with cookies and a cache.
        documents: Contents by URL.
        folders: Folders by the beginnings of URLs.
        language: Of the session, such as ``en`` or ``zh-CN``.
        caller: The caller's number, ``session.connection.remote.uri``.
        dialled: The number that it called, ``session.connection.local.uri``.
        connection: More of ``session.connection``.
        properties: Values in place of VoiceXML's defaults.
        languages: Those that can be spoken and understood; without any, all that have a code of two letters.
        limits: What one call may use.
        parse_limits: How large documents may be.
        library: Keeps documents that were read, for many simulations of the same ones.
        fetch_seconds: How long a fetch takes in virtual time, or what tells it for a request; one that takes
            longer than its ``fetchtimeout`` fails, and ``fetchaudio`` is heard in one that takes as long as
            ``fetchaudiodelay``.
    """

    def __init__(
        self,
        url: str,
        *,
        fetch: FetchFunction | Fetcher | None = None,
        documents: Mapping[str, Content] | None = None,
        folders: Mapping[str, Path] | None = None,
        language: str = "en",
        caller: str = "13800138000",
        dialled: str = "4008123456",
        connection: Mapping[str, Json] | None = None,
        properties: Mapping[str, str] | None = None,
        languages: Sequence[str] = (),
        limits: Limits = Limits(),  # noqa: B008  # frozen
        parse_limits: ParseLimits = ParseLimits(),  # noqa: B008  # frozen
        library: Library | None = None,
        fetch_seconds: FetchSeconds = 0.0,
    ) -> None:
        self.notes: list[Note] = []
        """Everything that happened, in its order; ``say`` and ``does`` are the platform's."""
        self.requests: list[FetchRequest] = []
        """Everything that was asked for by URL."""
        self.secrets = Secrets()
        """What was answered to fields with ``sipcc.secret``; notes that came later have asterisks for it."""
        self.exit: Exit | None = None
        """How it ended; None while it waits."""
        self.waiting: Waiting = ""
        self._fetcher = Watched(fetcher_of(fetch, documents, folders, url), self.requests, fetch_seconds)
        self._session = Caller(
            self._fetcher, self.notes.append, language=language, caller=caller, dialled=dialled
        )
        self._fetcher.wait = self._session.wait
        setup = Setup(
            library=library or Library(parse_limits),
            limits=limits,
            properties=properties or {},
            note=self.notes.append,
            connection=connection or {},
            waiter=self._session.meanwhile,
            secrets=self.secrets,
            languages=tuple(languages),
        )
        self._program: Coroutine[Any, Any, Exit] = interpret(self._session, self._fetcher, url, setup)
        self._go_on(None)

    # -- what the caller does ------------------------------------------------------------------------------

    def say(
        self,
        text: str,
        confidence: float = 1.0,
        *,
        alternatives: Sequence[tuple[str, float]] = (),
        seconds: float | None = None,
        after: float | None = None,
    ) -> None:
        """Answer in words.

        Args:
            text: What is said; the active grammars match it.
            confidence: How sure the recogniser is, from 0 to 1.
            alternatives: Other texts that it may have been, less likely, with their confidence.
            seconds: How long it takes, for ``maxspeechtimeout``; None for a usual speed.
            after: Seconds after the prompts began, to cut them; None waits for their end.
        """
        others = tuple(alternatives)
        self.do(Said(text=text, confidence=confidence, alternatives=others, seconds=seconds, after=after))

    def press(self, keys: str, *, after: float | None = None, gap: float = 0.1) -> None:
        """Press keys, 0.1 s each; what is more than the question wants is typed ahead.

        Args:
            keys: Such as ``12#``.
            after: Seconds after the prompts began, to cut them; None waits for their end.
            gap: Seconds from the end of one key to the beginning of the next.
        """
        self.do(Pressed(keys=keys, after=after, gap=gap))

    def answer(self, *deeds: Said | Pressed | HungUp) -> None:
        """Do several things, the first of them in this question.

        Each is done at its `after`, in seconds from the beginning of this question's prompts, or as soon as
        the one before it is over. What is still to come when the question has its answer is done all the
        same, and the next question hears it; after a wrong answer the rest is forgotten.

        Raises:
            NotWaiting: as for `do`.
            ValueError: there is nothing to do.
        """
        if not deeds:
            raise ValueError("there is nothing to answer; silence() lets the question run out")
        self.do(Several(deeds))

    def silence(self) -> None:
        """Let the question run out."""
        self.do(Silent())

    def hangup(self, *, after: float | None = None) -> None:
        """Hang up."""
        self.do(HungUp(after))

    def transfer(self, outcome: str, *, seconds: float = 30.0) -> None:
        """Let a transfer come out somehow.

        Args:
            outcome: ``busy``, ``noanswer``, ``network_busy``, ``near_end_disconnect``,
                ``far_end_disconnect``, ``network_disconnect``, ``maxtime_disconnect``, ``unknown``; for the
                errors ``noauthorization``, ``baddestination``, ``noroute``, ``noresource``, ``unsupported``;
                a SIP status such as ``404``; or ``connected``: a good end of a blind transfer or one with
                consultation, and in a bridge a talk that the far end ends.
            seconds: How long the two talk.
        """
        self.do(TransferEnds(outcome=outcome, seconds=seconds))

    def do(self, deed: Deed) -> None:
        """Do one thing, and go on until the document waits again, or is over.

        Raises:
            NotWaiting: it is over, or waits for something else.
        """
        if self.exit is not None:
            raise NotWaiting(f"the document is over: {self.exit.reason}")
        if isinstance(deed, TransferEnds) and self.waiting != "transfer":
            wanted = "an answer" if self.waiting == "input" else "a recording"
            raise NotWaiting(f"{told(deed)!r}: the document waits for {wanted}, not for a transfer")
        self.notes.append(Note(what="does", text=told(self._shown(deed))))
        self._go_on(deed)

    def _shown(self, deed: Deed) -> Deed:
        """The deed as notes may have it."""
        step = self.question
        if isinstance(step, Gather) and step.collect.secret:
            if isinstance(deed, Several):
                return Several(tuple(self._shown(one) for one in deed.deeds))  # type: ignore[misc]  # same kinds
            if isinstance(deed, Pressed):
                return Pressed(keys=stars(deed.keys))
            if isinstance(deed, Said):
                return Said(text=stars(deed.text))
        return deed

    def _go_on(self, deed: Deed | None) -> None:
        try:
            self.waiting = self._program.send(deed)
        except StopIteration as end:
            self.exit = end.value
            self.waiting = ""

    # -- what came of it -----------------------------------------------------------------------------------

    @property
    def spoken(self) -> list[Spoke]:
        """All prompts that were played, or at least begun."""
        return self._session.spoken

    @property
    def prompts(self) -> list[str]:
        """The texts of the prompts; for those that are only sounds, the last parts of their URLs."""
        return [one.text or " ".join(url.rpartition("/")[2] for url in one.audio) for one in self.spoken]

    @property
    def logs(self) -> list[str]:
        """What <log> said; a label stands before it, with a colon."""
        return [
            f"{note.details['label']}: {note.text}" if "label" in note.details else note.text
            for note in self.notes
            if note.what == "log"
        ]

    @property
    def events(self) -> list[str]:
        """The names of all events that were thrown, caught or not."""
        return [note.text for note in self.notes if note.what == "event"]

    @property
    def visited(self) -> list[str]:
        """The URLs of the documents that were entered."""
        return [note.text for note in self.notes if note.what == "visit"]

    @property
    def question(self) -> Gather | Record | Transfer | None:
        """What the document waits for, as the session sees it."""
        return self._session.step if self.waiting else None

    @property
    def seconds(self) -> float:
        """How long the call took so far, in virtual time."""
        return self._session.now()

    @property
    def value(self) -> Json | Undefined:
        """The value of <exit expr>."""
        return None if self.exit is None else self.exit.value


def simulate(
    url: str,
    deeds: Iterable[Deed | str] = (),
    **more: Any,
) -> Simulation:
    """Run a document with a list of what the caller does; then it is silent, and hangs up at last.

    Args:
        url: The first document.
        deeds: What happens at each question. A text is said; ``"keys 12#"`` presses, ``"silence"`` waits,
            ``"hangup"`` hangs up, ``"transfer busy"`` is the outcome of a transfer.
        more: As for `Simulation`.

    Raises:
        NotWaiting: a transfer comes out where there is none.
        ValueError: a line cannot be done.
    """
    simulation = Simulation(url, **more)
    for deed in deeds:
        if simulation.exit is not None:
            return simulation
        simulation.do(read_deed(deed) if isinstance(deed, str) else deed)
    for _ in range(PATIENCE):
        if simulation.exit is not None:
            return simulation
        if simulation.waiting == "transfer":
            simulation.transfer("connected")
        else:
            simulation.silence()
    if simulation.exit is None:
        simulation.hangup()
    return simulation


PATIENCE: Final = 10
"""Questions that a caller without a script lets run out before it hangs up."""


def read_deed(text: str) -> Deed:
    """What a line of a script means.

    Raises:
        ValueError: no telephone has such a key, or no transfer comes out so.
    """
    word, _, rest = text.strip().partition(" ")
    if word == "keys" and rest:
        keys = "".join(rest.split())
        if not KEYS.issuperset(keys):
            raise ValueError(f"{keys!r} cannot be typed; keys are {''.join(sorted(KEYS))}")
        return Pressed(keys=keys)
    if word == "transfer" and rest:
        outcome = rest.strip()
        if outcome not in OUTCOMES and not outcome.isdigit():
            raise ValueError(
                f"{outcome!r} is no outcome of a transfer; {', '.join(sorted(OUTCOMES))} are known"
            )
        return TransferEnds(outcome=outcome)
    if not rest and word == "silence":
        return Silent()
    if not rest and word == "hangup":
        return HungUp()
    said = rest if word == "say" and rest else text.strip()
    return Said(text=said)
