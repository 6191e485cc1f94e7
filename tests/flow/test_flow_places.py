"""Callers in flows and menus whose process dies are asked the same again by the next one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.flow.centre import Centre
from tests.flow.test_api import until

from sipcc.call import Call
from sipcc.ivr.events import MenuEntered, NodeEntered
from sipcc.shelves import Shelves
from sipcc.switch.flowplaces import FlowPlace

FLOW = """
[[numbers]]
number = "4008120018"
to = "flow:shop"
[[numbers]]
number = "4008120019"
to = "menu:first"
[[flows]]
name = "shop"
fallback = "queue:help"
[flows.nodes.what]
type = "menu"
prompt = "welcome"
options = { "1" = "pin", "2" = "pin" }
into = "choice"
[flows.nodes.pin]
type = "gather"
prompt = "welcome"
into = "pin"
digits = 4
secret = true
then = "again"
[flows.nodes.again]
type = "menu"
prompt = "welcome"
timeout = 60
options = { "1" = "which", "2" = "top" }
[flows.nodes.which]
type = "switch"
when = [["choice == \\"2\\"", "queue:sales"]]
else = "queue:help"
[[menus]]
name = "first"
prompt = "welcome"
options = { "1" = "menu:second" }
then = "queue:help"
[[menus]]
name = "second"
prompt = "welcome"
timeout = 60
options = { "1" = "queue:sales" }
then = "queue:help"
"""


def written(folder: Path) -> dict[str, FlowPlace]:
    """The places that the next process would find."""
    [path] = folder.glob("*.shelves")
    (folder / "copy").write_bytes(path.read_bytes())
    shelves = Shelves(folder / "copy")
    shelves.open()
    left = shelves.shelf("flow-places", FlowPlace).left
    shelves.close()
    return left


class Successor:
    """Treats a new call as one that an earlier process has left in `place`."""

    def __init__(self) -> None:
        self.centre: Centre | None = None
        self.place: FlowPlace | None = None

    async def __call__(self, call: Call) -> None:
        assert self.centre is not None
        assert self.place is not None
        await call.answer()
        switch = self.centre.switch
        switch.flow_desk.places.left[call.id] = self.place
        handler = switch.returning.treatment(call, None, None)
        if handler is not None:
            await handler(call)


def centre_of(folder: Path, successor: Successor) -> Centre:
    journal = f'[daemon]\njournal = "{folder / "one.calls"}"\n'
    successor.centre = Centre(folder, extra=FLOW + journal, apps={"4008120017": successor})
    return successor.centre


async def test_a_caller_in_a_flow_goes_on_at_its_question(tmp_path: Path) -> None:
    successor = Successor()
    async with centre_of(tmp_path, successor) as centre:
        caller = await centre.carrier.call("4008120018")
        await caller.answered()
        await caller.press("27777")
        await until(lambda: [e.node for e in centre.told("NodeEntered")][-1:] == ["again"])  # type: ignore[attr-defined]
        [call] = centre.switch.calls.live()
        place = written(tmp_path)[call.id]
        assert (place.flow, place.node, place.values["choice"]) == ("flow:shop", "again", "2")
        assert "7777" not in str(place)
        await caller.hangup()
        await until(lambda: bool(centre.told("CallEndedEvent")))
        assert written(tmp_path) == {}

        successor.place = place
        caller = await centre.carrier.call("4008120017")
        await caller.answered()
        await until(lambda: len(centre.told("NodeEntered")) == 4)
        last = centre.told("NodeEntered")[-1]
        assert isinstance(last, NodeEntered)
        assert last.node == "again"
        await caller.press("1")
        await until(lambda: bool(centre.told("QueueJoined")))
        assert [event.queue for event in centre.told("QueueJoined")] == ["sales"]  # type: ignore[attr-defined]
        assert written(tmp_path) == {}
        await caller.hangup()


async def test_a_caller_in_menus_goes_on_in_the_same_one(tmp_path: Path) -> None:
    successor = Successor()
    async with centre_of(tmp_path, successor) as centre:
        caller = await centre.carrier.call("4008120019")
        await caller.answered()
        await caller.press("1")
        await until(lambda: len(centre.told("MenuEntered")) == 2)
        [call] = centre.switch.calls.live()
        successor.place = written(tmp_path)[call.id]
        assert (successor.place.flow, successor.place.node) == ("menu:first", "second")
        await caller.hangup()
        caller = await centre.carrier.call("4008120017")
        await caller.answered()
        await until(lambda: len(centre.told("MenuEntered")) == 3)
        last = centre.told("MenuEntered")[-1]
        assert isinstance(last, MenuEntered)
        assert last.menu == "second"
        await caller.hangup()


@pytest.mark.parametrize(
    "place",
    [
        FlowPlace(flow="flow:shop", version="another", node="again", language="en", values={}),
        FlowPlace(flow="flow:gone", version="", node="again", language="en", values={}),
        FlowPlace(flow="menu:gone", version="", node="gone", language="en", values={}),
        FlowPlace(flow="menu:first", version="another", node="second", language="en", values={}),
    ],
)
async def test_a_place_that_is_gone_is_no_place(tmp_path: Path, place: FlowPlace) -> None:
    successor = Successor()
    async with centre_of(tmp_path, successor) as centre:
        caller = await centre.carrier.call("4008120018")
        await caller.answered()
        [call] = centre.switch.calls.live()
        centre.switch.flow_desk.places.left[call.id] = place
        assert centre.switch.returning.treatment(call, None, None) is None
        centre.switch.flow_desk.places.taken_up([])
        assert centre.switch.flow_desk.places.left == {}
        await caller.hangup()
