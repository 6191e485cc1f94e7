"""The checks that a request outside of dialogs must pass before anybody is asked (RFC 3261 §8.2).

A core: pure rules over one request and what the endpoint can do.
"""

from __future__ import annotations

from collections.abc import Collection

from sipcc.sip.message import METHODS, Request
from sipcc.sip.multipart import unacceptable

DIALOG_METHODS = frozenset({"INVITE", "BYE", "UPDATE", "INFO", "PRACK", "NOTIFY"})
"""Methods that make no sense outside of dialogs; there they get 481, and not 405."""

EXTENSIONS = frozenset({"timer", "100rel", "replaces", "norefersub"})
"""Option tags that a peer may demand; `timer` also where we have none of our own (RFC 4028 §9). The
session refuses `100rel` where its policy is against it."""

REGISTER_EXTENSIONS = frozenset({"path", "outbound", "gruu"})
"""Option tags that a REGISTER may demand as well (RFC 3327, 5626, 5627)."""

Refusal = tuple[int, list[tuple[str, str]]]


def unsupported(request: Request) -> str:
    """The option tags of Require that we do not know, for the Unsupported header (RFC 3261 §8.2.2.3)."""
    if "Require" not in request.headers:
        return ""
    known = EXTENSIONS | REGISTER_EXTENSIONS if request.method == "REGISTER" else EXTENSIONS
    wanted = dict.fromkeys(request.headers.values("Require"))  # each once: the answer shall not be longer
    return ", ".join(tag for tag in wanted if tag.lower() not in known)


def refusal_of(
    request: Request, *, handled: Collection[str], allow: str, in_dialog: bool, merged: bool
) -> Refusal | None:
    """Status and headers of the refusal of a request that found no dialog, in the order of §8.2.

    None when it may pass. `handled` are the methods that somebody answers outside of dialogs, `in_dialog`
    tells that its To has a tag, `merged` that another copy came on another path (§8.2.2.2).
    """
    method = request.method
    if method not in METHODS:
        return 501, [("Allow", allow)]
    if method not in handled and method not in DIALOG_METHODS and not in_dialog:
        return 405, [("Allow", allow)]
    if merged:
        return 482, []
    if in_dialog or method not in handled:
        return 481, []
    if request.uri.scheme not in ("sip", "sips", "tel"):
        return 416, []
    tags = unsupported(request)
    if tags:
        return 420, [("Unsupported", tags)]
    encoding = (request.headers.get("Content-Encoding") or "identity").lower()
    if request.body and encoding != "identity":
        return 415, [("Accept-Encoding", "identity")]
    if method == "INVITE":
        return _invite_refusal(request)
    return None


def _invite_refusal(request: Request) -> Refusal | None:
    if unacceptable(request, ("application/sdp",)):
        return 415, [("Accept", "application/sdp"), ("Accept", "multipart/mixed")]
    accept = request.headers.get("Accept")
    if accept and not any(kind in accept for kind in ("application/sdp", "*/*", "application/*")):
        return 406, []
    return None
