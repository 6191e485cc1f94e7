"""Where something runs: the scopes of its variables, and the elements whose catches and properties hold.

An application has one scope while documents of it run, a document one while it is the current one, a dialog
one while it is visited, and each piece of executable content one of its own. What a document says in an
expression and in a name is tried here, and is ``error.semantic`` when it fails.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, Protocol, TypeVar

from sipcc.ivr.fetch import shown
from sipcc.ivr.js import Chain, Engine, Json, Scope, ScriptError, Undefined, is_name, root_of
from sipcc.ivr.vxml.documents import Document
from sipcc.ivr.vxml.errors import Thrown, semantic
from sipcc.ivr.vxml.parse import Element

_T = TypeVar("_T")

_SCOPES = ("session", "application", "document", "dialog")


class Application:
    """An application root and its variables. A document without a root is its own."""

    def __init__(self, root: Document, scope: Scope) -> None:
        self.root = root
        self.scope = scope


class Context:
    """What runs beside its own session and nothing else: the call's first document, or a subdialog."""

    def __init__(self, engine: Engine, session: Scope, depth: int = 0) -> None:
        self.engine = engine
        self.session = session
        self.depth = depth
        """How many subdialogs it is in."""
        self.application: Application
        self.document: Document
        self.scope: Scope
        """That of the document; for an application root the same as the application's."""

    @property
    def in_root(self) -> bool:
        """Whether the current document is the application root."""
        return self.scope is self.application.scope

    @property
    def chain(self) -> tuple[Scope, ...]:
        """The scopes outside of all dialogs."""
        outer = (self.session, self.application.scope)
        return outer if self.in_root else (*outer, self.scope)

    @property
    def place(self) -> Place:
        """Where the document itself runs."""
        return Place(self, self.chain, (self.document.root,))

    @property
    def base(self) -> str:
        """What URLs are relative to."""
        return self.document.base


class Visited(Protocol):
    """The dialog that is visited, as executable content sees it."""

    def reprompt(self) -> None:
        """Let the next item have its prompts, although a handler ran."""
        ...

    def clear(self, names: Sequence[str] | None, place: Place) -> None:
        """Empty variables, and reset the counters of items; all items for None."""
        ...

    def has_item(self, name: str) -> bool:
        """Whether the dialog has an item of this name."""
        ...

    def input_names(self) -> list[str]:
        """The names of the inputs that have one."""
        ...


class Place:
    """Where something runs. `elements` are the item, the dialog and the document, as far as there are."""

    def __init__(
        self,
        context: Context,
        chain: tuple[Scope, ...],
        elements: tuple[Element, ...],
        visited: Visited | None = None,
    ) -> None:
        self.context = context
        self.chain = chain
        self.elements = elements
        self.visited = visited

    @property
    def engine(self) -> Engine:
        """The caller's engine."""
        return self.context.engine

    @property
    def element(self) -> Element:
        """The innermost element."""
        return self.elements[0]

    @property
    def around(self) -> tuple[Element, ...]:
        """All elements from the innermost on, the application root at the end."""
        root = self.context.application.root.root
        return self.elements if self.context.in_root else (*self.elements, root)

    @cached_property
    def properties(self) -> dict[str, str]:
        """Those that elements set here; of several the innermost holds, in one element the last (§6.3)."""
        return {
            child.attributes["name"]: child.attributes["value"]
            for element in reversed(self.around)
            for child in element.elements("property")
        }

    def inner(self) -> Place:
        """The same place with an anonymous scope of its own."""
        return Place(self.context, (*self.chain, self.engine.scope()), self.elements, self.visited)

    def where(self, element: Element) -> str:
        """URL, line and column of an element, as logs may have them."""
        own = self.context.document
        document = own if own.root is element.top else self.context.application.root
        return f"{shown(document.url)}:{element.line}:{element.column}"

    def see(self, *elements: Element) -> None:
        """See that elements can be carried out.

        Raises:
            Thrown: ``error.badfetch``, the check of their document found why one cannot.
        """
        context = self.context
        for element in elements:
            fault = context.document.faults.get(element) or context.application.root.faults.get(element)
            if fault is not None:
                raise Thrown("error.badfetch", fault).at(self.where(element))

    # -- expressions ---------------------------------------------------------------------------------------

    def test(self, expression: str) -> bool:
        """A condition."""
        return self._tried(expression, self.engine.test)

    def text(self, expression: str) -> str:
        """A value as text."""
        return self._tried(expression, self.engine.text)

    def json(self, expression: str) -> Json | Undefined:
        """A value."""
        return self._tried(expression, self.engine.json)

    def keep(self, expression: str) -> Any:
        """A handle on a value."""
        return self._tried(expression, self.engine.keep)

    def script(self, source: str) -> None:
        """Run a script."""
        self._tried(source, self.engine.script)

    def _tried(self, expression: str, function: Callable[[str, Chain], _T]) -> _T:
        try:
            return function(expression, self.chain)
        except ScriptError as error:
            raise semantic(f"{' '.join(expression.split())[:100]}: {error}") from None

    # -- variables -----------------------------------------------------------------------------------------

    def declare(self, name: str, expression: str | None) -> None:
        """Make a variable in the innermost scope; without an expression one that is there keeps its value."""
        name = self.new_name(name)
        kept = None if expression is None else self.keep(expression)
        self.engine.declare(self.chain[-1], name)
        if kept is not None:
            self.engine.put(self.chain[-1], name, kept)

    @staticmethod
    def new_name(name: str) -> str:
        """A name that a variable may have.

        Raises:
            Thrown: ``error.semantic``, it may not.
        """
        name = name.strip()
        if not is_name(name):
            raise semantic(f"{name!r} is no name of a variable")
        return name

    def assign(self, name: str, expression: str) -> None:
        """Give a variable that was declared somewhere a value."""
        self.check_declared(name)
        if root_of(name) == "session" or self._owner(name) is self.context.session:
            raise semantic(f"{name!r} is for reading only")
        self._tried(f"{name} = ({expression}\n)", self.engine.keep)

    def check_declared(self, name: str) -> None:
        """See that a variable, or the variable that a property belongs to, was declared.

        Raises:
            Thrown: ``error.semantic``, it was not.
        """
        root = root_of(name)
        parts = name.strip().split(".")
        owner = self._owner(root) if root else None
        if owner is not None and root in _SCOPES and len(parts) > 1:
            named = root_of(parts[1])
            scope = next((s for s in self.chain if self._is(s, root)), None)
            if scope is not None and named and not self.engine.has(scope, named):
                owner = None
        if owner is None:
            raise semantic(f"{name!r} is not declared")

    def _owner(self, name: str) -> Scope | None:
        return self.engine.owner(self.chain, root_of(name))

    def _is(self, scope: Scope, name: str) -> bool:
        return scope.name == name or (name == "document" and scope is self.context.scope)

    # -- URLs ----------------------------------------------------------------------------------------------

    def base_of(self, element: Element) -> str:
        """What the URLs in an element are relative to: its document's, or the current one's.

        Handlers of the application root work as if they stood in the current document.
        """
        document = self.context.document
        return document.base if document.root is not element.top else document.base_of(element)
