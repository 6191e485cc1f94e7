"""Which languages can be spoken and understood; all others are ``error.unsupported.language``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipcc.ivr.say import base_language
from sipcc.ivr.vxml.errors import Thrown

_CODES = (
    "af am an ar as az ba be bg bn bpy bs ca chr cmn cs cv cy da de el en eo es et eu fa fi fr ga gd "
    "gn grc gu hak haw he hi hr ht hu hy hyw ia id io is it ja jbo ka kk kl kn ko kok ku ky la lb "
    "lfn lt ltg lv mi mk ml mr ms mt my nb nci ne nl no nog om or pa pap pl pt qu quc ro ru sd shn "
    "si sk sl smj sq sr sv sw ta te th tk tn tr tt ug uk ur uz vi yue zh"
)
LANGUAGES: Final = frozenset(_CODES.split())
"""Those that espeak-ng reads, by their codes of ISO 639; what holds where nobody says which there are."""


def known(language: str, among: Iterable[str]) -> bool:
    """Whether a language is one of some, of any region: ``en-GB`` where there is ``en-US``."""
    tongue = base_language(language.strip())
    return any(base_language(one) == tongue for one in among)


def check_language(language: str, among: Iterable[str]) -> None:
    """See that a language can be spoken and understood; the empty one is the call's.

    Raises:
        Thrown: ``error.unsupported.language``.
    """
    if language and not known(language, among):
        raise Thrown("error.unsupported.language", f"the language {language!r} is not among those here")
