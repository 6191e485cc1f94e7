"""What each type of node does with a call; each tells the name of the edge by which the call goes on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

from msgspec.structs import replace

from sipcc.call.destination import Destination
from sipcc.expr import Kind, Value
from sipcc.ivr.flows import connecting, nodes
from sipcc.ivr.flows.model import Node
from sipcc.ivr.flows.questions import gather, menu, survey
from sipcc.ivr.flows.run import Came, Ending, FlowFault, LookupFailed, Run
from sipcc.ivr.flows.sent import Sent
from sipcc.ivr.flows.values import plain, written
from sipcc.ivr.steps import Audio, Enqueue, Left, Record, Stream, Transfer


async def _say(run: Run, node: nodes.Say) -> str:
    run.say(node.prompt, bargein=node.bargein)
    return "then"


async def _play(run: Run, node: nodes.Play) -> str:
    run.say((Audio(node.audio, node.otherwise),), bargein=node.bargein)  # type: ignore[arg-type]  # no mark in it
    return "then"


async def _hours(run: Run, node: nodes.Hours) -> str:
    if run.services.hours is None:
        raise FlowFault("there are no calendars here")
    verdict = run.services.hours(node.calendar, run.session.wall())
    if verdict.open:
        return "open"
    return "holiday" if node.holiday and verdict.why == "holiday" else "closed"


def _branch(run: Run, node: nodes.Branch, otherwise: str) -> str:
    for index, (condition, _) in enumerate(node.when):
        if run.values.holds(condition):
            return f"when.{index}"
    return otherwise


async def _switch(run: Run, node: nodes.Switch) -> str:
    return _branch(run, node, "else")


async def _lookup(run: Run, node: nodes.Lookup) -> str:
    run.values.forget(node.into)
    sent = Sent(
        source=node.source,
        url=node.url,
        body=run.values.sent(node.send),
        authorization=node.authorization,
        answer=node.answer,
        deadline=nodes.DEADLINE if node.deadline is None else node.deadline,
        cache=node.cache,
        said=run.take_pending(),
        wait_prompts=run.prompts(node.wait_prompt),
        wait_after=node.wait_after,
    )
    if run.services.lookup is None:
        raise FlowFault("nothing can be looked up here")
    if sent.said:
        await run.session.answer()
    try:
        found = await run.services.lookup(run.session, sent)
        check_answer(found, node.answer)
    except LookupFailed as error:
        run.session.log("flow.lookup_failed", flow=run.playable.name, node=run.node, reason=str(error))
        return "failed"
    run.result = run.values.masked(found)
    run.values.set(node.into, run.result)
    return _branch(run, node, "then")


def check_answer(found: Mapping[str, object], kinds: Mapping[str, Kind]) -> None:
    """Check that an answer has the fields that it must have.

    Raises:
        LookupFailed: it has not.
    """
    for name, kind in kinds.items():
        if name not in found or not _of_kind(plain(found[name]), kind):
            raise LookupFailed(f"the answer has no {name!r} that is a {kind}")


def _of_kind(value: Value, kind: Kind) -> bool:
    match kind:
        case "truth":
            return isinstance(value, bool)
        case "number":
            return isinstance(value, int | float) and not isinstance(value, bool)
        case "text":
            return isinstance(value, str)
        case "list":
            return isinstance(value, tuple)
    return value is not None


async def _http(run: Run, node: nodes.Http) -> str:
    sent = Sent(
        url=node.url,
        body=run.values.sent(node.send, "stored"),
        authorization=node.authorization,
        deadline=node.deadline,
    )
    if run.services.post is None:
        raise FlowFault("no service can be told anything here")
    went_well = await run.services.post(run.session, sent, node.wait)
    return "failed" if node.failed and not went_well else "then"


async def _assign(run: Run, node: nodes.Assign) -> str:
    for name, value in run.values.sent(node.values, "stored").items():
        run.values.set(name, value)
    return "then"


async def _language(run: Run, node: nodes.Language) -> str:
    run.session.language = node.language
    return "then"


async def _record(run: Run, node: connecting.Record) -> str:
    await run.session.answer()
    prompts = (*run.take_pending(), *run.prompts(node.prompt))
    recorded = await run.session.record(
        Record(
            prompts=prompts,
            beep=node.beep,
            max_time=node.max_time,
            final_silence=node.final_silence,
            terminators=node.terminators,
        )
    )
    run.result = recorded
    run.values.set(node.into, recorded.path)
    run.values.set(f"{node.into}.seconds", round(recorded.seconds, 1))
    if recorded.ended_by in ("key", "silence", "max_time"):
        run.answered()
    return "empty" if node.empty and not recorded.path else "then"


async def _queue(run: Run, node: connecting.Queue) -> Came:
    await run.speak()
    context = {key: run.values.text(value, "stored") for key, value in node.context.items()}
    left = await run.session.enqueue(
        Enqueue(
            queue=node.queue,
            priority=node.priority,
            skills=node.skills,
            context=context,
            survey=not _asks_after(run),
        )
    )
    run.result = left
    if left.agent:
        run.answered()
    if left.exit in node.exits:
        return f"exits.{left.exit}"
    if left.agent:
        return "then"
    if left.exit == "callback_booked":
        return Ending(how="hungup")
    return "unserved" if node.unserved else _as_the_queue_says(left)


def _asks_after(run: Run) -> bool:
    """Whether the flow itself has a survey for after the conversation, here or in a flow that it calls."""
    if run.playable.flow is None:
        return False
    todo = [(run.playable.flow, run.playable.flow.target_of(run.node, "then").node)]
    seen: set[tuple[str, str]] = set()
    while todo:
        flow, name = todo.pop()
        if not name or (flow.name, name) in seen:
            continue
        seen.add((flow.name, name))
        node = flow.nodes[name]
        if isinstance(node, nodes.Survey):
            return True
        called = run.services.find(node.calls) if node.calls else None
        if called is not None and called.flow is not None:
            todo.append((called.flow, called.flow.start))
        if not node.human:
            todo += [(flow, flow.target_of(name, edge.name).node) for edge in flow.edges_of(name)]
    return False


def _as_the_queue_says(left: Left) -> Came:
    """Where the queue's own settings send a caller for whom the flow names no way."""
    try:
        return Ending(how="destination", destination=Destination.parse(left.to))
    except ValueError:
        return "unserved"


async def _dial(run: Run, node: connecting.Dial) -> str:
    await run.speak()
    targets = (node.to,) if isinstance(node.to, str) else node.to
    result = await run.session.transfer(
        Transfer(
            targets=tuple(run.values.text(one, "stored") for one in targets),
            mode="bridge",
            timeout=node.timeout,
            max_time=node.max_time,
            waiting=run.prompts(node.waiting),
            accept=run.prompts(node.accept),
            record=node.record,
            caller=node.caller,
        )
    )
    run.result = result
    if result.outcome in ("far_end", "near_end", "max_time"):
        run.answered()
        return "then"
    return _unreached(node, result.outcome)


async def _transfer(run: Run, node: connecting.Transfer) -> Came:
    await run.speak()
    to = run.values.text(node.to, "stored")
    result = await run.session.transfer(Transfer(targets=(to,), mode=node.mode, timeout=node.timeout))
    run.result = result
    return Ending(how="hungup") if result.outcome == "sent" else _unreached(node, result.outcome)


def _unreached(node: connecting.Dial | connecting.Transfer, outcome: str) -> str:
    named = {"busy": node.busy, "noanswer": node.noanswer}
    return outcome if named.get(outcome) else "failed"


async def _voicemail(run: Run, node: connecting.Voicemail) -> str:
    await run.speak()
    try:
        destination = Destination.parse(f"voicemail:{node.box}")
    except ValueError as error:
        raise FlowFault(str(error)) from error
    await run.session.go(destination)
    run.answered()
    return "then"


async def _bot(run: Run, node: connecting.Bot) -> str:
    await run.session.answer()
    await run.speak()
    told = {key: written(value) for key, value in run.values.sent(node.send, "stored").items()}
    if node.bot:
        if run.services.bot is None:
            raise FlowFault(f"there is no bot {node.bot!r} here")
        step = run.services.bot(run.session, node.bot)
        step = replace(step, both_ways=node.both_ways, parameters={**step.parameters, **told})
    else:
        both, wait = node.both_ways, node.timeout
        step = Stream(url=node.url, wire=node.wire, both_ways=both, parameters=told, timeout=wait)
    result = await run.session.stream(step)
    run.result = result
    run.values.set(node.into, {**result.context, "transcript": result.transcript})
    if result.to in node.ways:
        run.answered()
        return f"ways.{result.to}"
    if result.ended_by == "program":
        run.answered()
        return "then"
    return "failed"


async def _call(run: Run, node: connecting.Call) -> Came:
    found = run.services.find(node.flow)
    if found is None:
        raise FlowFault(f"there is no flow {node.flow!r}")
    ending = await run.through(found)
    if ending.how != "returned":
        return ending
    run.result = ending.exit
    return f"exits.{ending.exit}" if ending.exit in node.exits else "then"


async def _return(run: Run, node: connecting.Return) -> Came:
    return Ending(how="returned", exit=node.exit)


async def _goto(run: Run, node: connecting.Goto) -> str:
    return "to"


async def _hangup(run: Run, node: connecting.Hangup) -> Came:
    run.say(node.prompt)
    await run.speak()
    await run.session.hangup(node.cause)
    return Ending(how="hungup")


ACTS: Final[Mapping[type[Node], Callable[[Run, Any], Awaitable[Came]]]] = {
    nodes.Menu: menu,
    nodes.Gather: gather,
    nodes.Survey: survey,
    nodes.Say: _say,
    nodes.Play: _play,
    nodes.Hours: _hours,
    nodes.Switch: _switch,
    nodes.Lookup: _lookup,
    nodes.Http: _http,
    nodes.Assign: _assign,
    nodes.Language: _language,
    connecting.Record: _record,
    connecting.Queue: _queue,
    connecting.Dial: _dial,
    connecting.Transfer: _transfer,
    connecting.Voicemail: _voicemail,
    connecting.Bot: _bot,
    connecting.Call: _call,
    connecting.Return: _return,
    connecting.Goto: _goto,
    connecting.Hangup: _hangup,
}
"""Each carries out a node of that type; it raises SipccError when that cannot be done."""
