"""XML of applications, whose every fault is a wrong answer at its place, as a core."""

from __future__ import annotations

from typing import Final

from sipcc.ivr.hooks.model import BadAnswer
from sipcc.ivr.xmlread import Element, XmlError, XmlLimits, read

__all__ = ["Element", "parse", "wrong"]

_LIMITS: Final = XmlLimits(max_depth=32, max_elements=2000)


def parse(body: bytes) -> Element:
    """The outermost element of a document; names are as they are written.

    Raises:
        BadAnswer: it is no XML, has a document type, or is too deep or too large.
    """
    try:
        return read(body, limits=_LIMITS)
    except XmlError as error:
        raise BadAnswer(f"{error.line}:{error.column}", error.problem) from None


def wrong(element: Element, message: str) -> BadAnswer:
    """An error at an element."""
    return BadAnswer(element.at, message)
