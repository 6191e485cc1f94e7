"""The form interpretation algorithm (VoiceXML 2.0 Appendix C): one visit of a form or a menu.

A menu is interpreted as a form with one item, the menu itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from sipcc.ivr.js import UNDEFINED, Json, Undefined, root_of
from sipcc.ivr.vxml.calls import record, transfer
from sipcc.ivr.vxml.check import INPUT_ITEMS, ITEMS
from sipcc.ivr.vxml.data import fetch_data
from sipcc.ivr.vxml.errors import Event, Thrown, semantic
from sipcc.ivr.vxml.events import Counters, find, handle
from sipcc.ivr.vxml.executable import event_of, execute, message_of
from sipcc.ivr.vxml.inputs import Result, ask
from sipcc.ivr.vxml.machine import Machine
from sipcc.ivr.vxml.navigate import follow, load_script
from sipcc.ivr.vxml.parse import Element
from sipcc.ivr.vxml.prompts import say_visit
from sipcc.ivr.vxml.scope import Context, Place
from sipcc.ivr.vxml.signals import Arrival, Exit, Finish, Jump, NextItem, Note, Return
from sipcc.ivr.vxml.subdialogs import invoke, unsupported_object

_PROMPTED: Final = INPUT_ITEMS | {"initial", "menu"}


class Item:
    """A form item while its form is visited."""

    def __init__(self, element: Element, name: str) -> None:
        self.element = element
        self.kind = element.tag
        self.name = name
        """Of its variable; one that nobody wrote begins with a blank, so that no expression reaches it."""
        self.prompts = 1
        """The prompt counter."""
        self.counters = Counters()

    def reset(self) -> None:
        """Begin anew."""
        self.prompts = 1
        self.counters.reset()


class Visit:
    """One visit of a dialog; see `run`."""

    def __init__(self, machine: Machine, context: Context, dialog: Element) -> None:
        self.machine = machine
        self.context = context
        self.dialog = dialog
        self.items: list[Item] = []
        self._scope = machine.engine.scope("dialog")
        self._counters = Counters()
        self._reprompted = False
        self._quiet = False
        """Whether the next item has no prompts, as after a handler that did not say <reprompt>."""
        self._next: Item | None = None
        self._filled: set[str] = set()
        """The inputs that were just filled."""
        self._place = Place(context, (*context.chain, self._scope), (dialog, context.document.root), self)

    def over(self) -> None:
        """Let go of what refers back to the visit, so that an ended call is freed at once."""
        self._place.visited = None

    # -- for executable content ----------------------------------------------------------------------------

    def reprompt(self) -> None:
        """Let the next item have its prompts, although a handler ran."""
        self._reprompted = True

    def clear(self, names: Sequence[str] | None, place: Place) -> None:
        """Empty variables, and reset the counters of items."""
        by_name = {item.name: item for item in self.items}
        for name in list(by_name) if names is None else names:
            local = name.removeprefix("dialog.")
            if local in by_name:
                by_name[local].reset()
                self.machine.engine.set(self._scope, local, UNDEFINED)
            elif root_of(name):
                place.assign(name, "undefined")
            else:
                raise semantic(f"{name!r} is no variable")

    def has_item(self, name: str) -> bool:
        """Whether the form has an item of this name."""
        return any(item.name == name for item in self.items)

    def input_names(self) -> list[str]:
        """The names of the inputs that have one."""
        return [
            item.name for item in self.items if item.kind in INPUT_ITEMS and not item.name.startswith(" ")
        ]

    # -- the algorithm -------------------------------------------------------------------------------------

    async def run(self, carried: Result | None, parameters: Mapping[str, object]) -> None:
        """Visit the dialog until something leaves it.

        Args:
            carried: What the caller said to a grammar of this dialog while another one was visited.
            parameters: Values of variables of the form, for a subdialog.

        Raises:
            Jump, Return, Finish: always one of them.
            Stopped: a limit was passed.
        """
        self.machine.note(Note(what="dialog", text=self.dialog.get("id") or ""))
        try:
            await self._begin(parameters)
        except NextItem as signal:
            self._go_to(signal)
        while True:
            self.machine.step(self.dialog)
            try:
                if carried is not None:
                    result, carried = carried, None
                    await self._process(result, self._first_input())
                else:
                    await self._turn()
            except NextItem as signal:
                self._go_to(signal)

    async def _begin(self, parameters: Mapping[str, object]) -> None:
        """Declare variables and items, and run scripts, in the order of the document.

        Where one of them fails and a handler does not go elsewhere, the others are done all the same.
        """
        left = dict(parameters)
        elements = list(self.dialog.elements("var", "script", "data", *ITEMS))
        if self.dialog.tag == "menu":
            elements.append(self.dialog)
        for element in elements:
            try:
                await self._initialise(element, left)
            except Thrown as thrown:
                await self._handle(thrown.at(self._place.where(element)).event, None)
                self._quiet = False
        if left:
            try:
                self._refuse(sorted(left))
            except Thrown as thrown:
                await self._handle(thrown.event, None)
                self._quiet = False

    async def _initialise(self, element: Element, parameters: dict[str, object]) -> None:
        if element.tag in ("script", "data"):
            self._place.see(element)
        if element.tag == "var":
            name = element.attributes["name"]
            if name in parameters:
                self._place.new_name(name)
                self.machine.engine.put(self._scope, name, parameters.pop(name))
            else:
                self._place.declare(name, element.get("expr"))
        elif element.tag == "script":
            self._place.script(await load_script(self.machine, self._place, element))
        elif element.tag == "data":
            await fetch_data(self.machine, self._place, element)
        else:
            self._declare_item(element)

    def _refuse(self, names: list[str]) -> None:
        """Parameters that the form does not declare; whoever knows what to do about it is asked."""
        event = Event("error.semantic", f"the form declares no variable {', '.join(names)}")
        counters = Counters()
        counters.add(event.name)
        if find(self._place, event.name, counters) is None and self.context.depth:
            raise Return(event=event)
        raise Thrown(event.name, event.message)

    def _declare_item(self, element: Element) -> None:
        name = element.get("name") if element.tag != "menu" else None
        item = Item(element, self._place.new_name(name) if name is not None else f" {len(self.items)}")
        self.items.append(item)
        engine = self.machine.engine
        engine.set(self._scope, item.name, UNDEFINED)
        expression = element.get("expr") if element.tag != "menu" else None
        if expression is not None:
            engine.put(self._scope, item.name, self._place.keep(expression))

    def _go_to(self, signal: NextItem) -> None:
        self._next = next((item for item in self.items if item.name == signal.name), None)
        self._quiet = signal.quiet

    def _first_input(self) -> Item | None:
        return self.items[0] if self.dialog.tag == "menu" else None

    async def _turn(self) -> None:
        """Select an item, visit it, and process what comes of it."""
        item, self._next = self._next, None
        if item is None:
            item = await self._select()
        quiet, self._quiet = self._quiet, False
        machine = self.machine
        name = item.name if not item.name.startswith(" ") else ""
        machine.note(Note(what="item", text=name, details={"kind": item.kind}))
        try:
            self._place.see(item.element, *item.element.elements("filled", "param"))
            if item.kind in _PROMPTED and not quiet:
                say_visit(machine, self._at(item), item.element, item.prompts)
                item.prompts += 1
            result = await self._visit(item)
        except Thrown as thrown:
            await self._handle(thrown.at(self._place.where(item.element)).event, item)
            return
        if result is not None:
            await self._process(result, item)
        elif item.kind in INPUT_ITEMS:
            await self._run_filled()

    async def _select(self) -> Item:
        for item in self.items:
            if self.machine.engine.defined(self._scope, item.name):
                continue
            condition = item.element.get("cond")
            try:
                if condition is None or self._at(item).test(condition):
                    return item
            except Thrown as thrown:
                await self._handle(thrown.at(self._place.where(item.element)).event, item)
                return await self._select_again()
        raise Finish(Exit(reason=self.machine.final_reason if self.machine.final else "done"))

    async def _select_again(self) -> Item:
        self.machine.step(self.dialog)
        return await self._select()

    def _at(self, item: Item | None) -> Place:
        """Where an item runs, or the dialog for None."""
        if item is None or item.kind == "menu":
            return self._place
        return Place(self.context, self._place.chain, (item.element, *self._place.elements), self)

    async def _handle(self, event: Event, item: Item | None) -> None:
        self._reprompted = False
        counters = self._counters if item is None or item.kind == "menu" else item.counters
        try:
            await handle(self.machine, self._at(item), event, counters)
        except NextItem as signal:
            signal.quiet = not self._reprompted
            raise
        self._quiet = not self._reprompted

    async def _visit(self, item: Item) -> Result | None:
        """Carry out an item; what the caller answered, when it is to be processed."""
        machine, place = self.machine, self._at(item)
        self._filled = set()
        match item.kind:
            case "block":
                machine.engine.set(self._scope, item.name, True)
                await execute(machine, place.inner(), item.element)
                return None
            case "field" | "initial" | "menu":
                return await ask(machine, place, self.dialog)
            case "record":
                if (result := await record(machine, place, item.element, self._scope, item.name)) is not None:
                    return result
            case "transfer":
                await transfer(machine, place, item.element, self._scope, item.name)
            case "subdialog":
                await invoke(machine, place, item.element, self._scope, item.name)
            case "object":
                unsupported_object(item.element)
        if machine.engine.defined(self._scope, item.name):  # a key before anything was said fills no record
            self._filled = {item.name}
        return None

    # -- processing ----------------------------------------------------------------------------------------

    async def _process(self, result: Result, item: Item | None) -> None:
        """Do what an answer asks for (the process phase)."""
        grammar = result.grammar
        try:
            if grammar.owner.tag in ("link", "choice"):
                await self._choose(result, item)
            elif grammar.event:
                raise Thrown(grammar.event)
            elif grammar.dialog is not self.dialog:
                raise Jump(self._elsewhere(result), result)
            elif grammar.owner is self.dialog:
                self._fill_form(result)
            else:
                assert item is not None
                self._fill_item(result, item)
        except Thrown as thrown:
            await self._handle(thrown.at(self._place.where(grammar.owner)).event, item)
            return
        await self._run_filled()

    def _elsewhere(self, result: Result) -> Arrival:
        """Where the dialog is whose grammar was matched: in this document or in the application root."""
        grammar = result.grammar
        root = self.context.application.root
        if not self.context.in_root and grammar.document is root:
            return Arrival(dialog=grammar.dialog, document=root)
        return Arrival(dialog=grammar.dialog)

    async def _choose(self, result: Result, item: Item | None) -> None:
        grammar = result.grammar
        if grammar.owner.tag == "choice" and grammar.dialog is not self.dialog:
            raise Jump(self._elsewhere(result), result)
        element, place = grammar.owner, self._at(item)
        if "event" in element.attributes or "eventexpr" in element.attributes:
            raise Thrown(event_of(place, element), message_of(place, element))
        await follow(self.machine, place, element)

    def _fill_item(self, result: Result, item: Item) -> None:
        value = result.interpretation
        slot = item.element.get("slot") or item.name
        found, part = _slot(value, slot)
        self._fill(item, part if found else value, result)
        self._satisfy_initials()

    def _fill_form(self, result: Result) -> None:
        value = result.interpretation
        for item in self.items:
            if item.kind != "field":
                continue
            found, part = _slot(value, item.element.get("slot") or item.name)
            if found:
                self._fill(item, part, result)
        if self._filled:
            self._satisfy_initials()

    def _fill(self, item: Item, value: Json | Undefined, result: Result) -> None:
        engine = self.machine.engine
        engine.set(self._scope, item.name, value)
        if not item.name.startswith(" "):
            engine.set(self._scope, f"{item.name}$", result.shadow)
        self._filled.add(item.name)

    def _satisfy_initials(self) -> None:
        for item in self.items:
            if item.kind == "initial":
                self.machine.engine.set(self._scope, item.name, True)

    async def _run_filled(self) -> None:
        """Carry out what is to be done with what was just filled, in the order of the document."""
        filled = self._filled
        if not filled:
            return
        by_element = {item.element: item for item in self.items}
        for child in list(self.dialog.elements("filled", *ITEMS)):
            owner = by_element.get(child)
            for action in [child] if child.tag == "filled" else list(child.elements("filled")):
                try:
                    if not self._triggered(action, owner, filled):
                        continue
                    self.machine.step(action)
                    await execute(self.machine, self._at(owner).inner(), action)
                except Thrown as thrown:
                    await self._handle(thrown.event, owner)
                    return

    def _triggered(self, action: Element, owner: Item | None, filled: set[str]) -> bool:
        if owner is not None:
            return owner.name in filled
        written = (action.get("namelist") or "").split()
        names = written or [item.name for item in self.items if item.kind in INPUT_ITEMS]
        for name in written:
            self._place.check_declared(name)
        if not filled.intersection(names):
            return False
        if action.get("mode") == "any":
            return True
        return all(self.machine.engine.defined(self._scope, name) for name in names)


def _slot(value: Json | Undefined, path: str) -> tuple[bool, Json]:
    """What stands in an answer under the name of a slot, or under a path such as ``drink.size``."""
    if not isinstance(value, dict):
        return False, None
    if path in value:
        return True, value[path]
    part: Json = value
    for name in path.split("."):
        if not isinstance(part, dict) or name not in part:
            return False, None
        part = part[name]
    return True, part
