"""Checks of ``[vxml]``, as a core."""

from __future__ import annotations

from sipcc.config.names import Names, check_destination
from sipcc.ivr.prompttable import LANGUAGE
from sipcc.ivr.vxml.properties import DEFAULTS
from sipcc.ivr.vxml.settings import VxmlSettings
from sipcc.reading.convert import did_you_mean
from sipcc.reading.findings import Report
from sipcc.reading.urls import is_url

SCHEMES = ("http", "https")


def check_vxml(vxml: VxmlSettings, names: Names, report: Report) -> None:
    """Check the documents, where callers go when one fails, the languages and the properties."""
    for name, url in vxml.documents.items():
        if not url.startswith("/") and not is_url(url, SCHEMES):
            hint = 'as in "https://app.example.com/start.vxml" or "/etc/sipcc/start.vxml"'
            report.error(("vxml", "documents", name), f"{url[:100]!r} is no URL of a document", hint)
    if vxml.fallback.startswith(("vxml:", "app:", "router:")):
        hint = 'name what cannot fail, as in "queue:NAME" or "play:PROMPT"'
        report.error(("vxml", "fallback"), f"{vxml.fallback!r} may fail as well", hint)
    else:
        check_destination(vxml.fallback, ("vxml", "fallback"), names, report)
    for at, language in enumerate(vxml.languages):
        if not LANGUAGE.fullmatch(language):
            hint = 'name it as in "zh" or "en-US"'
            report.error(("vxml", "languages", at), f"{language[:100]!r} is no language", hint)
    for name in vxml.properties:
        if name not in DEFAULTS and not name.endswith(("maxage", "maxstale")):
            known = did_you_mean(name, list(DEFAULTS))
            report.warn(("vxml", "properties", name), f"VoiceXML has no property {name!r}", known)
