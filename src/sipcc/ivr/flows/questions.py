"""Questions of flows: what a menu, a gather or a survey asks, how often, and what counts as an answer."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from sipcc.call.digits import Answer, CollectSettings, LengthMatcher, Matcher, OptionsMatcher
from sipcc.ivr.events import Reason
from sipcc.ivr.flows.model import Phrase
from sipcc.ivr.flows.nodes import Gather, Menu, Question, Survey
from sipcc.ivr.flows.run import Run
from sipcc.ivr.menu import TERMINATOR, Tries
from sipcc.ivr.steps import Gather as Step
from sipcc.ivr.steps import Gathered, Listen


class KeysMatcher:
    """Right is what `answer` takes, and each of `keys`, which lead elsewhere."""

    def __init__(self, answer: LengthMatcher | None, keys: Collection[str]) -> None:
        self._answer = answer
        self._keys = frozenset(keys)

    def check(self, digits: str) -> Answer:
        """The verdict on `digits`."""
        if digits in self._keys:
            return Answer.FINAL
        if self._answer is None:
            return Answer.PARTIAL if not digits else Answer.NO
        return self._answer.check(digits)


def plain_words(text: str) -> str:
    """What was said, without case, signs and spaces, so that a recogniser may write it as it likes."""
    return "".join(char for char in text.casefold() if char.isalnum())


def listen_for(words: Iterable[str]) -> Listen:
    """Listen for one of `words`; for anything when there are none."""
    hints = tuple(words)
    right = frozenset(map(plain_words, hints))
    return Listen(hints=hints, accepts=(lambda text: plain_words(text) in right) if right else None)


async def ask(
    run: Run, node: Question, *, keys: Matcher | None, listen: Listen | None, **collect: Any
) -> Gathered | None:
    """Ask until there is an answer; None when the tries are used up.

    Raises:
        FlowFault: they are for the second time, and the caller did nothing in between.
    """
    retry, head = run.retry_of(node), run.playable.head
    run.tries = tries = Tries[Phrase](
        noinput=retry.noinput,
        nomatch=retry.nomatch,
        total=retry.total,
        noinput_prompts=retry.noinput_prompt,
        nomatch_prompts=retry.nomatch_prompt,
    )
    settings = CollectSettings(
        timeout=head.timeout if node.timeout is None else node.timeout,
        interdigit=head.interdigit if node.interdigit is None else node.interdigit,
        **collect,
    )
    await run.session.answer()
    before: tuple[Phrase, ...] | None = ()
    while before is not None:
        prompts = (*run.take_pending(), *run.prompts(*before, node.prompt, bargein=node.bargein))
        label = f"{run.playable.name}.{run.node}"
        step = Step(prompts=prompts, keys=keys, collect=settings, listen=listen, label=label)
        gathered = await run.session.gather(step)
        if gathered.outcome in ("keys", "speech"):
            run.answered()
            return gathered
        kind: Reason = "noinput" if gathered.outcome == "noinput" else "nomatch"
        before = tries.again(kind)
    run.unanswered()
    return None


async def menu(run: Run, node: Menu) -> str:
    """Ask for an option."""
    choices = node.choices()
    words = {plain_words(word): option for option, several in node.words.items() for word in several}
    terminators = "" if any(TERMINATOR in keys for keys in choices) else TERMINATOR
    listen = listen_for(word for several in node.words.values() for word in several) if words else None
    gathered = await ask(run, node, keys=OptionsMatcher(choices), listen=listen, terminators=terminators)
    if gathered is None:
        return "retry"
    if gathered.outcome == "keys":
        option = choices[gathered.keys]
    else:
        option = words[plain_words(gathered.heard[0].text)]
    run.result = gathered.keys or option
    if node.into:
        run.values.set(node.into, run.result)
    return f"options.{option}"


async def gather(run: Run, node: Gather) -> str:
    """Ask for keys or words."""
    fewest, most = (node.digits, node.digits) if isinstance(node.digits, int) else node.digits or (1, 1)
    numbers = LengthMatcher(fewest, most, "0123456789") if node.digits is not None else None
    gathered = await ask(
        run,
        node,
        keys=KeysMatcher(numbers, node.keys) if numbers is not None or node.keys else None,
        listen=listen_for(node.words) if node.speech else None,
        terminators=node.terminator,
        secret=node.secret,
        max_time=node.max_time,
    )
    if gathered is None:
        return "retry"
    if gathered.outcome == "keys" and gathered.keys in node.keys:
        return f"keys.{gathered.keys}"
    answer = gathered.keys if gathered.outcome == "keys" else gathered.heard[0].text
    run.result = answer
    run.values.set(node.into, answer, secret=node.secret)
    return "then"


async def survey(run: Run, node: Survey) -> str:
    """Ask for a number on the scale, and keep it; whom a survey of the switch has asked is asked no more."""
    low, high = (int(end) for end in node.scale.split("-"))
    scale = OptionsMatcher(str(number) for number in range(low, high + 1))
    if not run.session.judge(node.store, None, low=low, high=high):
        return "then"
    gathered = await ask(run, node, keys=scale, listen=None, terminators=TERMINATOR)
    if gathered is None:
        return "retry"
    number = int(gathered.keys)
    run.values.set(node.store, number)
    run.session.judge(node.store, number, low=low, high=high)
    run.session.tag(node.store, gathered.keys)
    return "low" if node.low is not None and number < node.low.below else "then"


_: type[Matcher] = KeysMatcher
