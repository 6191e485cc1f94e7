"""Makes the reference pages of docs/ from the code, so that they cannot tell anything else than the code.

    python tools/make_reference.py            # writes the pages
    python tools/make_reference.py --check    # only says which pages are not as they should be

`docs/configuration.md` keeps what stands above `MARK`; the pages in `docs/reference` are made whole.
"""

from __future__ import annotations

import ast
import inspect
import itertools
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import msgspec
from msgspec import inspect as shapes

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "src"))

from sipcc.acd import agents, offer, queues  # noqa: E402
from sipcc.acd import events as acd_events  # noqa: E402
from sipcc.call import events as call_events  # noqa: E402
from sipcc.call.destination import Destination  # noqa: E402
from sipcc.config.schema import LISTS, TABLES  # noqa: E402
from sipcc.events import Event  # noqa: E402
from sipcc.ivr import events as ivr_events  # noqa: E402
from sipcc.records import events as record_events  # noqa: E402
from sipcc.sip.transaction import tables  # noqa: E402

MARK = "<!-- Everything below is made by tools/make_reference.py, from the docstrings in the code. -->"

MACHINES = [
    ("INVITE client transaction", tables.INVITE_CLIENT, "RFC 3261 §17.1.1 and RFC 6026 §7.2"),
    ("Non-INVITE client transaction", tables.CLIENT, "RFC 3261 §17.1.2"),
    ("INVITE server transaction", tables.INVITE_SERVER, "RFC 3261 §17.2.1 and RFC 6026 §7.1"),
    ("Non-INVITE server transaction", tables.SERVER, "RFC 3261 §17.2.2"),
]

EVENT_MODULES = [
    ("Calls and legs", call_events),
    ("Queues and agents", acd_events),
    ("Menus", ivr_events),
    ("Alerts", record_events),
]


# -- the docstrings under the fields of a class ---------------------------------------------------------


def field_docs(kind: type) -> dict[str, str]:
    """The text under each field of the class `kind`, in one line each; without those that have none."""
    ours = [base for base in reversed(kind.__mro__) if base.__module__.startswith("sipcc.")]
    return {name: text for base in ours for name, text in _own_field_docs(base).items()}


def _own_field_docs(kind: type) -> dict[str, str]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    found: dict[str, str] = {}
    for field, after in itertools.pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and (text := _text(after)):
            found[field.target.id] = text
    return found


def _text(node: ast.stmt) -> str:
    """The string that `node` is, or an empty one."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        value = node.value.value
        return one_line(value) if isinstance(value, str) else ""
    return ""


def one_line(text: str) -> str:
    """A docstring as one line of Markdown that may stand in a table."""
    return re.sub(r"\s+", " ", text.replace("``", "`")).strip().replace("|", "\\|")


def written_types(kind: type) -> dict[str, str]:
    """The types of the fields that the class `kind` itself has, as they are written."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    (body,) = (node.body for node in tree.body if isinstance(node, ast.ClassDef))
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


# -- the configuration ----------------------------------------------------------------------------------


def type_words(kind: shapes.Type) -> str:
    """A type in the words of who writes TOML."""
    match kind:
        case shapes.Metadata():
            return type_words(kind.type)
        case shapes.StrType():
            return "text"
        case shapes.BoolType():
            return "true or false"
        case shapes.IntType():
            return "integer" + _bounds(kind)
        case shapes.FloatType():
            return "number" + _bounds(kind)
        case shapes.LiteralType():
            return " or ".join(f"`{json.dumps(value)}`" for value in kind.values)  # in alphabetic order
        case shapes.VarTupleType():
            return f"list of {type_words(kind.item_type)}"
        case shapes.TupleType():
            return "[" + ", ".join(type_words(item) for item in kind.item_types) + "]"
        case shapes.DictType():
            return f"table of {type_words(kind.value_type)}"
        case shapes.UnionType():
            return " or ".join(
                type_words(part) for part in kind.types if not isinstance(part, shapes.NoneType)
            )
        case shapes.StructType():
            return "table"
        case shapes.AnyType():
            return "anything"
    raise TypeError(f"no words for {kind}")


def _bounds(kind: shapes.IntType | shapes.FloatType) -> str:
    low = f"≥ {kind.ge}" if kind.ge is not None else f"> {kind.gt}" if kind.gt is not None else ""
    high = f"≤ {kind.le}" if kind.le is not None else ""
    step = f"multiple of {kind.multiple_of}" if kind.multiple_of is not None else ""
    words = ", ".join(part for part in (low, high, step) if part)
    return f" {words}" if words else ""


def default_words(field: msgspec.structs.FieldInfo) -> str:
    """The default as it would be written in TOML."""
    if field.required:
        return "required"
    value = field.default_factory() if field.default is msgspec.NODEFAULT else field.default
    if value is None or isinstance(value, msgspec.Struct):
        return ""
    return f"`{json.dumps(value)}`" if value != {} else "`{}`"


def section(name: str, kind: type[msgspec.Struct], heading: str) -> Iterator[str]:
    """The reference of one section, with those nested in it."""
    docs = field_docs(kind)
    yield f"## `{heading}`"
    yield ""
    yield one_line((inspect.getdoc(kind) or "").split("\n\n")[0])
    yield ""
    yield "| key | type | default | meaning |"
    yield "|---|---|---|---|"
    nested: list[tuple[str, type[msgspec.Struct]]] = []
    for field in msgspec.structs.fields(kind):
        key = field.encode_name
        meaning = docs[key]
        yield f"| `{key}` | {type_words(shapes.type_info(field.type))} | {default_words(field)} | {meaning} |"
        if isinstance(field.type, type) and issubclass(field.type, msgspec.Struct):
            nested.append((key, field.type))
    yield ""
    for key, inner in nested:
        yield from section(f"{name}.{key}", inner, f"[{name}.{key}]")


def destinations() -> Iterator[str]:
    """The vocabulary of destinations, from the docstring that defines it."""
    yield "## Destinations"
    yield ""
    yield (
        "One vocabulary for `to` of a number, the options and `then` of a menu. "
        "A destination is `kind` or `kind:argument`."
    )
    yield ""
    for line in (inspect.getdoc(Destination) or "").splitlines():
        if line.startswith("|"):
            yield line.replace("``", "`")
    yield ""


def configuration() -> str:
    """The page of the configuration: its own beginning, then what the code says."""
    page = ROOT / "docs" / "configuration.md"
    introduction, mark, _ = page.read_text("utf-8").partition(MARK)
    if not mark:
        raise SystemExit(f"{page} has lost the line {MARK!r}")
    lines = [introduction + MARK, "", *destinations()]
    for name, kind in TABLES.items():
        lines += section(name, kind, f"[{name}]")
    for name, kind in LISTS.items():
        lines += section(name, kind, f"[[{name}]]")
    return "\n".join(lines).rstrip() + "\n"


# -- state machines and events --------------------------------------------------------------------------


def state_machines() -> str:
    """The page of the state machines."""
    lines = [
        "# State machines",
        "",
        MARK,
        "",
        "Each diagram is printed by the table that runs. An arrow reads *input / actions*.",
        "",
        "## SIP transactions",
        "",
        "`src/sipcc/sip/transaction/tables.py`. An input that is not drawn is counted and dropped when it "
        "comes from the network, and is a `LocalProtocolError` when it comes from above.",
        "",
    ]
    for title, table, source in MACHINES:
        lines += [f"### {title}", "", f"{source}.", "", *_mermaid(tables.mermaid(table, title))]
    lines += [
        "## Queues and agents",
        "",
        "`src/sipcc/acd/agents.py`, `offer.py`, `queues.py`. An input that is not drawn is refused with "
        "`LocalProtocolError` and changes nothing.",
        "",
        "### Agent",
        "",
        "`settled` stands for the state of an agent without a queue call: `offline` when the phone is gone "
        "or the agent has logged out, `external` on a call of the agent's own, else what the agent asked for "
        "last, `ready` or `not_ready`.",
        "",
        *_mermaid(agents.diagram()),
        "### Offer: one agent asked to take one caller",
        "",
        *_mermaid(offer.diagram()),
        "### Entry: one caller's visit to one queue",
        "",
        *_mermaid(queues.diagram()),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _mermaid(text: str) -> list[str]:
    return ["```mermaid", text.rstrip("\n"), "```", ""]


def event_classes(module: ModuleType) -> list[type[Event]]:
    """The events that `module` defines, in the order of its lines."""
    found = [
        item
        for item in vars(module).values()
        if isinstance(item, type) and issubclass(item, Event) and item.__module__ == module.__name__
    ]
    return sorted(found, key=lambda item: inspect.getsourcelines(item)[1])


def event_page() -> str:
    """The page of the events."""
    lines = [
        "# Events",
        "",
        MARK,
        "",
        one_line(Event.__doc__ or ""),
        "",
        "Every event has `at`: " + field_docs(Event)["at"],
        "",
        "Listen with `switch.bus.on(CallAnswered, handler)` or `switch.bus.on_all(handler)`. Events tell "
        "what happened; nothing in sipcc decides by them.",
        "",
    ]
    for title, module in EVENT_MODULES:
        lines += [f"## {title}", "", f"`{module.__name__}`", ""]
        for kind in event_classes(module):
            lines += _event(kind)
        lines += _values(module)
    return "\n".join(lines).rstrip() + "\n"


def _event(kind: type[Event]) -> list[str]:
    docs, written = field_docs(kind), written_types(kind)
    tag = kind.__struct_config__.tag
    name = f"### {kind.__name__}" + (f" (`type` is `{tag}`)" if tag != kind.__name__ else "")
    lines = [name, "", one_line(kind.__doc__ or ""), "", "| field | type | meaning |", "|---|---|---|"]
    for field, annotation in written.items():
        escaped = annotation.replace("|", "\\|")
        lines.append(f"| `{field}` | `{escaped}` | {docs.get(field, '')} |")
    return [*lines, ""]


def _values(module: ModuleType) -> list[str]:
    """The named sets of values that the events of `module` use."""
    lines: list[str] = []
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            values: tuple[Any, ...] = get_args(getattr(module, name))
            lines.append(f"- `{name}`: " + ", ".join(f"`{value}`" for value in values))
    return ["### Values", "", *lines, ""] if lines else []


PAGES = {
    "docs/configuration.md": configuration,
    "docs/reference/state-machines.md": state_machines,
    "docs/reference/events.md": event_page,
}


def main(arguments: list[str]) -> int:
    """Write the pages, or with ``--check`` compare them; the exit code."""
    wrong = 0
    for name, make in PAGES.items():
        page = ROOT / name
        text = make()
        if page.exists() and page.read_text("utf-8") == text:
            continue
        wrong += 1
        if "--check" in arguments:
            sys.stderr.write(f"{name} is not what tools/make_reference.py makes\n")
        else:
            page.write_text(text, "utf-8")
            sys.stderr.write(f"{name} is written\n")
    return int(bool(wrong) and "--check" in arguments)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
