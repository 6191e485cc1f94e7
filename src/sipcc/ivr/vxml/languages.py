"""Which languages can be spoken and understood; all others are ``error.unsupported.language``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from sipcc.ivr.say import base_language
from sipcc.ivr.vxml.errors import Thrown

_CODES = (
    "aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da "
    "de dv dz ee el en eo es et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz "
    "ia id ie ig ii ik io is it iu ja jv ka kg ki kj kk kl km kn ko kr ks ku kv kw ky la lb lg li ln "
    "lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv ny oc oj om or os pa pi "
    "pl ps pt qu rm rn ro ru rw sa sc sd se sg sh si sk sl sm sn so sq sr ss st su sv sw ta te tg th "
    "ti tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu bpy chr cmn fil grc "
    "hak haw hyw jbo kok lfn ltg nci nog pap quc shn smj yue"
)
LANGUAGES: Final = frozenset(_CODES.split())
"""Those with a code of ISO 639-1, and the others that espeak-ng reads: what holds where nobody says which
there are, so that what no language is called is found."""


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
