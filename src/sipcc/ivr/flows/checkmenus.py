"""Rules about the options of a menu: E08, W09, E10, W12, E12, W13."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Final

from sipcc.ivr.flows.check import Fault, Rule, View
from sipcc.ivr.flows.nodes import Menu
from sipcc.ivr.optionfaults import option_faults
from sipcc.ivr.settings import split_keys

MANY: Final = 5
TOO_MANY: Final = 7

_CODES: Final = {"double": "E08", "beginning": "W09", "terminator": "E10"}


def options(view: View) -> Iterator[Fault]:
    """E08, W09 and E10."""
    for name, node in view.flow.nodes.items():
        if isinstance(node, Menu):
            for fault in option_faults(node.options):
                path = ("options", fault.written)
                yield Fault(_CODES[fault.kind], name, path, fault.message, fault.hint)


def number(view: View) -> Iterator[Fault]:
    """W12 and E12."""
    for name, node in view.flow.nodes.items():
        if isinstance(node, Menu) and (count := len(node.options)) > MANY:
            code = "E12" if count > TOO_MANY else "W12"
            hint = f"offer {MANY} at most, and move the rest to a menu of their own"
            yield Fault(code, name, ("options",), f"the menu has {count} options", hint)


def order(view: View) -> Iterator[Fault]:
    """W13: of options with one digit from 1 to 9, in the order in which they are written."""
    for name, node in view.flow.nodes.items():
        if not isinstance(node, Menu):
            continue
        firsts = [split_keys(written)[0] for written in node.options]
        digits = [int(keys) for keys in firsts if len(keys) == 1 and keys in "123456789"]
        if any(after < before for before, after in pairwise(digits)):
            message = f"the numbers do not ascend: {', '.join(map(str, digits))}"
        elif digits and sorted(set(digits)) != list(range(1, max(digits) + 1)):
            gap = next(digit for digit in range(1, 10) if digit not in digits)
            message = f"the numbers have a gap: there is no {gap}"
        else:
            continue
        yield Fault("W13", name, ("options",), message, "number the options 1, 2, 3 as they are read out")


RULES: Final[tuple[Rule, ...]] = (options, number, order)
