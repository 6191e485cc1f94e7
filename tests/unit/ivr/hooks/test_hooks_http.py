"""How applications are asked over HTTP: signatures, failures, and what becomes of the caller then."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json

import pytest
from tests.unit.ivr.hooks.webapp import BASE, drive
from twilio.request_validator import RequestValidator

from sipcc.ivr.fetch import FetchError
from sipcc.ivr.hooks.run import MAX_IDLE_HOOKS
from sipcc.ivr.hooks.signing import jambonz_signature, twilio_signature

SAY = [{"verb": "say", "text": "Hello"}]
TWIML = "<Response><Say>Hello</Say></Response>"


def failed(fault: str, status: int = 0) -> FetchError:
    return FetchError(f"{BASE}/start", fault, "as the test wants it", status=status)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (failed("timeout"), "slow"),
        (failed("unreachable"), "unreachable"),
        (failed("refused"), "refused"),
        (failed("status", 404), "status"),
        (failed("redirects"), "status"),
        (failed("too_large"), "unreadable"),
        (failed("junk"), "unreadable"),
        ("<html>Bad gateway</html>", "unreadable"),
        ([{"verb": "shout"}], "unreadable"),
    ],
)
async def test_whatever_goes_wrong_the_caller_goes_to_the_fallback(answer: object, kind: str) -> None:
    first = await drive({"/start": answer})
    ask = [{"verb": "gather", "numDigits": 1, "actionHook": "/got"}]
    later = await drive({"/start": ask, "/got": answer}, "keys 1")
    for played in (first, later):
        assert [what for what, _ in played.failures] == [kind]
        assert "go queue:sales" in played.deeds
        assert "enqueue sales" in played.deeds


async def test_a_caller_who_is_gone_goes_nowhere() -> None:
    played = await drive({"/start": SAY}, "at 0.1s hangup")
    assert played.session.exit == "caller"
    assert played.failures == []


@pytest.mark.parametrize(
    ("fault", "asked"), [(failed("unreachable"), 3), (failed("status", 503), 3), (failed("timeout"), 1)]
)
async def test_only_what_may_get_better_is_asked_again(fault: FetchError, asked: int) -> None:
    played = await drive({"/start": fault}, retries=2)
    assert played.app.paths == ["/start"] * asked
    back = await drive({"/start": (failed("unreachable"), SAY)}, retries=1)
    assert back.session.said == ["Hello"]


async def test_an_application_that_sends_the_call_in_a_circle_loses_it() -> None:
    for kind, answer in {
        "jambonz": [{"verb": "redirect", "actionHook": "/start"}],
        "twiml": "<Response><Redirect>/start</Redirect></Response>",
    }.items():
        played = await drive({"/start": answer}, kind=kind)
        assert [what for what, _ in played.failures] == ["loop"]
        assert len(played.app.paths) == MAX_IDLE_HOOKS + 1


async def test_the_status_url_hears_of_the_answer_and_of_the_end() -> None:
    played = await drive({"/start": SAY, "/status": ""}, status_url=f"{BASE}/status")
    told = [sent for path, sent in played.app.asked if path == "/status"]
    assert [sent["call_status"] for sent in told] == ["in-progress", "completed"]
    assert told[-1]["call_termination_by"] == "jambonz"
    assert "duration" in told[-1]
    gone = await drive({"/start": SAY}, "at 0.1s hangup", status_url=f"{BASE}/none", kind="jambonz")
    assert gone.app.told("/none")["call_termination_by"] == "caller"
    twilio = await drive({"/start": TWIML, "/status": ""}, status_url=f"{BASE}/status", kind="twiml")
    assert twilio.app.told("/status")["CallStatus"] == "completed"


@pytest.mark.parametrize("kind", ["jambonz", "twiml"])
async def test_a_question_by_get_has_everything_in_its_url(kind: str) -> None:
    answer = TWIML if kind == "twiml" else SAY
    played = await drive({"/start": answer}, kind=kind, method="GET")
    (request,) = played.app.requests
    assert (request.method, request.body, request.form) == ("GET", None, None)
    assert played.app.asked[0][1]["from" if kind == "jambonz" else "From"] == "13800138000"
    assert played.session.said == ["Hello"]


async def test_who_may_ask_is_told_by_basic_authentication() -> None:
    hook = {"url": "/got", "basicAuth": {"username": "bob", "password": "pw"}}
    ask = [{"verb": "gather", "numDigits": 1, "actionHook": hook}]
    played = await drive({"/start": ask, "/got": SAY}, "keys 1", user="ann", password="secret")
    sent = [request.headers["Authorization"] for request in played.app.requests]
    assert [base64.b64decode(one.removeprefix("Basic ")) for one in sent] == [b"ann:secret", b"bob:pw"]


async def test_user_and_password_in_a_url_are_sent_as_a_header() -> None:
    redirect = "<Response><Redirect>http://eve:pw@app.example.com/two</Redirect></Response>"
    played = await drive({"/start": redirect, "/two": TWIML}, kind="twiml", secret="token")
    last = played.app.requests[-1]
    assert last.url == f"{BASE}/two"
    assert base64.b64decode(last.headers["Authorization"].removeprefix("Basic ")) == b"eve:pw"


@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_twilios_validator_takes_our_signature(method: str) -> None:
    played = await drive({"/start": TWIML}, kind="twiml", secret="token", method=method)
    (request,) = played.app.requests
    validator, signature = RequestValidator("token"), request.headers["X-Twilio-Signature"]
    assert validator.validate(request.target, dict(request.form or ()), signature)
    assert not RequestValidator("other").validate(request.target, dict(request.form or ()), signature)
    assert twilio_signature("token", f"{BASE}/a?b=c", {}) == validator.compute_signature(f"{BASE}/a?b=c", {})


async def test_jambonz_signatures_are_over_what_javascript_would_write() -> None:
    played = await drive({"/start": SAY}, secret="token")
    (request,) = played.app.requests
    assert request.body is not None
    time, _, mac = request.headers["Jambonz-Signature"].partition(",")
    signed = f"{time[2:]}.".encode() + request.body
    assert mac == "v1=" + hmac.new(b"token", signed, hashlib.sha256).hexdigest()
    assert time == "t=1700000000"
    again = json.dumps(json.loads(request.body), separators=(",", ":"), ensure_ascii=False)
    assert again.encode() == request.body
    assert jambonz_signature("token", request.body, 1_700_000_000.9) == request.headers["Jambonz-Signature"]


async def test_answers_are_of_a_limited_size_and_have_a_limited_time() -> None:
    played = await drive({"/start": SAY}, timeout=2.0)
    (request,) = played.app.requests
    assert (request.timeout, request.max_bytes) == (2.0, 262_144)


async def test_keys_that_are_secret_reach_only_the_application() -> None:
    ask = [{"verb": "gather", "numDigits": 8, "actionHook": "/got"}]
    played = await drive({"/start": ask, "/got": SAY}, "keys 62220001", secret_keys=True)
    assert played.app.told("/got")["digits"] == "62220001"
    assert "62220001" not in played.session.report()
