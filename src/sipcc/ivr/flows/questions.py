"""Questions of flows: how often a menu, a gather or a survey asks, and what becomes of the answer."""

from __future__ import annotations

from functools import lru_cache

from sipcc.call.digits import CollectSettings
from sipcc.ivr.events import Reason
from sipcc.ivr.flows.answers import plain_words
from sipcc.ivr.flows.model import Phrase, Retry
from sipcc.ivr.flows.nodes import Gather, Menu, Question, Survey
from sipcc.ivr.flows.run import Run
from sipcc.ivr.menu import Tries
from sipcc.ivr.steps import Gather as Step
from sipcc.ivr.steps import Gathered


async def ask(
    run: Run, node: Question, *, secret: bool = False, max_time: float | None = None
) -> Gathered | None:
    """Ask until there is an answer; None when the tries are used up.

    Raises:
        FlowFault: they are for the second time, and the caller did nothing in between.
    """
    answers, head = node.answers, run.playable.head
    settings = _settings(
        head.timeout if node.timeout is None else node.timeout,
        head.interdigit if node.interdigit is None else node.interdigit,
        answers.terminators,
        secret,
        max_time,
    )
    label = f"{run.playable.name}.{run.node}"
    if not run.session.answered:
        await run.session.answer()
    before: tuple[Phrase, ...] | None = ()
    while before is not None:
        step = Step(
            prompts=run.question(node, *before),
            keys=answers.keys,
            collect=settings,
            listen=answers.listen,
            label=label,
        )
        gathered = await run.session.gather(step)
        if gathered.outcome in ("keys", "speech"):
            run.answered()
            return gathered
        kind: Reason = "noinput" if gathered.outcome == "noinput" else "nomatch"
        if run.tries is None:
            run.tries = _tries(run.retry_of(node))
        before = run.tries.again(kind)
    run.unanswered()
    return None


@lru_cache(maxsize=1024)
def _settings(
    timeout: float, interdigit: float, terminators: str, secret: bool, max_time: float | None
) -> CollectSettings:
    """How keys are collected: most questions ask in the same few ways."""
    return CollectSettings(
        timeout=timeout, interdigit=interdigit, terminators=terminators, secret=secret, max_time=max_time
    )


def _tries(retry: Retry) -> Tries[Phrase]:
    return Tries(
        noinput=retry.noinput,
        nomatch=retry.nomatch,
        total=retry.total,
        noinput_prompts=retry.noinput_prompt,
        nomatch_prompts=retry.nomatch_prompt,
    )


async def menu(run: Run, node: Menu) -> str:
    """Ask for an option."""
    gathered = await ask(run, node)
    if gathered is None:
        return "retry"
    if gathered.outcome == "keys":
        option = node.answers.options[gathered.keys]
    else:
        option = node.answers.words[plain_words(gathered.heard[0].text)]
    run.result = gathered.keys or option
    if node.into:
        run.values.set(node.into, run.result)
    return f"options.{option}"


async def gather(run: Run, node: Gather) -> str:
    """Ask for keys or words."""
    gathered = await ask(run, node, secret=node.secret, max_time=node.max_time)
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
    low, high = node.ends
    if not run.session.judge(node.store, None, low=low, high=high):
        return "then"
    gathered = await ask(run, node)
    if gathered is None:
        return "retry"
    number = int(gathered.keys)
    run.values.set(node.store, number)
    run.session.judge(node.store, number, low=low, high=high)
    run.session.tag(node.store, gathered.keys)
    return "low" if node.low is not None and number < node.low.below else "then"
