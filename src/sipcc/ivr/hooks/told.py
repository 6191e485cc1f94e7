"""What applications are told of a call, in jambonz's words and in Twilio's, as a core."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal

from sipcc.ivr import steps
from sipcc.ivr.hooks import model
from sipcc.ivr.hooks.model import Facts, Report

REASONS = {100: "Trying", 180: "Ringing", 200: "OK", 487: "Request Terminated"}

# -- jambonz -----------------------------------------------------------------------------------------------


def payload(facts: Facts, report: Report) -> dict[str, Any]:
    """What a jambonz hook is sent: the call, and the result of the verb that names the hook.

    Numbers without fractions are whole ones, as JavaScript writes them: signatures are made over the text.
    """
    data: dict[str, Any] = {
        "call_sid": facts.call,
        "account_sid": facts.account,
        "application_sid": facts.application,
        "direction": "outbound" if facts.parent else "inbound",
        "from": facts.caller,
        "to": facts.dialled,
        "call_id": facts.call,
        "call_status": facts.status,
        "sip_status": facts.sip_status,
        "sip_reason": REASONS.get(facts.sip_status, ""),
    }
    if facts.parent:
        data["parent_call_sid"] = facts.parent
    if facts.tags:
        data["customerData"] = dict(facts.tags)
    if facts.seconds is not None:
        data["duration"] = facts.seconds
        data["call_termination_by"] = "caller" if facts.ended_by_caller else "jambonz"
    if isinstance(report, model.Started):
        data |= {"caller_id": facts.caller, "caller_name": ""}
    data |= _jambonz_result(facts, report)
    return data


def _jambonz_result(facts: Facts, report: Report) -> dict[str, Any]:
    match report:
        case steps.Gathered():
            return _jambonz_gathered(report)
        case steps.Played():
            return {
                "reason": "playCompleted",
                "playback_seconds": int(report.seconds),
                "playback_milliseconds": round(report.seconds * 1000),
                "playback_last_offset_pos": str(round(report.seconds * 8000)),
            }
        case model.Dialled():
            status = dial_status(report.result)
            return {
                "dial_call_status": status,
                "dial_sip_status": 200 if status == "completed" else report.result.status or _SIP[status],
                "duration": int(report.result.seconds),
            }
        case model.Captured():
            return {"dtmf": report.keys}
        case model.Referred():
            result = report.result
            accepted = {"refer_status": 202, "final_referred_call_status": 200}
            return accepted if result.outcome == "sent" else {"refer_status": result.status or 503}
        case model.Taken():
            return {"dequeue_result": report.result}
        case model.InRoom():
            return {
                "event": report.event,
                "conference_sid": f"conf:{facts.account}:{report.room}",
                "friendly_name": report.room,
                "members": report.members,
                "duration": int(report.seconds),
                "time": datetime.fromtimestamp(report.wall, UTC).isoformat(timespec="milliseconds"),
            }
        case model.InQueue():
            return {
                "queue_sid": f"queue:{facts.account}:{report.queue}",
                "queue_time": int(report.seconds),
                "queue_size": report.size,
                "queue_position": report.position - 1,  # jambonz counts from 0
            }
        case model.Queued():
            left = report.result
            word = queue_result(left)
            return {
                "queue_sid": f"queue:{facts.account}:{report.queue}",
                "queue_time": int(left.seconds) if left is not None else 0,
                "queue_result": "error" if word == "queue-full" else word,
            }
        case _:
            return {}


def _jambonz_gathered(result: steps.Gathered) -> dict[str, Any]:
    if result.outcome == "keys":
        return {"reason": "dtmfDetected", "digits": result.keys}
    if result.heard:
        alternatives = [
            {"transcript": heard.text, "confidence": whole(heard.confidence)} for heard in result.heard
        ]
        return {
            "reason": "speechDetected" if result.outcome == "speech" else "stt-low-confidence",
            "speech": {"channel_tag": 1, "is_final": True, "alternatives": alternatives},
        }
    # what was typed in vain is told as well: the caller did something
    return {"reason": "timeout", "digits": result.keys} if result.keys else {"reason": "timeout"}


def whole(number: float) -> int | float:
    """`number` with four places, and as a whole number where it is one."""
    rounded = round(number, 4)
    return int(rounded) if rounded == int(rounded) else rounded


DialStatus = Literal["completed", "busy", "no-answer", "failed"]

_SIP: dict[DialStatus, int] = {"completed": 200, "busy": 486, "no-answer": 480, "failed": 503}


def dial_status(result: steps.Transferred) -> DialStatus:
    """How dialling came out, in the words of both."""
    match result.outcome:
        case "busy":
            return "busy"
        case "noanswer":
            return "no-answer"
        case "network_busy" | "failed":
            return "failed"
        case _:
            return "completed"


QueueResult = Literal["bridged", "hangup", "leave", "error", "queue-full"]


def queue_result(left: steps.Left | None) -> QueueResult:
    """How a caller left a queue, in Twilio's words; None for one who hung up."""
    if left is None:
        return "hangup"
    return _LEFT.get(left.exit, "leave")


_LEFT: dict[str, QueueResult] = {
    "answered": "bridged",
    "full": "queue-full",
    "closed": "error",
    "failed": "error",
}


# -- Twilio ------------------------------------------------------------------------------------------------


def parameters(facts: Facts, report: Report, recording_url: str = "") -> dict[str, str]:
    """The parameters of a request in TwiML's world.

    `recording_url` is where the recording of `report` can be had.
    """
    data = {
        "CallSid": facts.call,
        "AccountSid": facts.account,
        "ApplicationSid": facts.application,
        "ApiVersion": "2010-04-01",
        "Direction": "outbound-dial" if facts.parent else "inbound",
        "From": facts.caller,
        "To": facts.dialled,
        "Caller": facts.caller,
        "Called": facts.dialled,
        "CallStatus": "ringing" if facts.status == "trying" else facts.status,
    }
    if facts.seconds is not None:
        data["CallDuration"] = str(facts.seconds)
    if facts.parent:
        data["ParentCallSid"] = facts.parent
    data |= _twilio_result(facts, report)
    if isinstance(report, steps.Recorded):
        data["RecordingUrl"] = recording_url
    return data


def _twilio_result(facts: Facts, report: Report) -> dict[str, str]:
    match report:
        case steps.Gathered():
            data = {"msg": "Gather End", "Digits": report.keys}
            if report.ended_with:
                data["FinishedOnKey"] = report.ended_with
            if report.outcome == "speech" and report.heard:
                best = report.heard[0]
                data |= {"SpeechResult": best.text, "Confidence": str(round(best.confidence, 4))}
                del data["Digits"]
            return data
        case steps.Recorded():
            return {
                "RecordingDuration": str(round(report.seconds)),
                "RecordingSid": recording_name(report.path),
                "RecordingStatus": "completed" if report.path else "absent",
                "Digits": "hangup" if report.ended_by == "hangup" else report.key,
            }
        case model.Dialled():
            status = dial_status(report.result)
            return {
                "DialCallStatus": status,
                "DialCallDuration": str(round(report.result.seconds)),
                "DialBridged": "true" if status == "completed" else "false",
            }
        case model.Referred():
            return _referred(report.result)
        case model.Called():
            return _called(facts, report)
        case model.Taken():
            complete = report.result == "complete"
            return {
                "DialCallStatus": "completed" if complete else "no-answer",
                "DialCallDuration": str(round(report.seconds)),
                "DialBridged": "true" if complete else "false",
            }
        case model.Joined():
            return {
                "DialCallStatus": "failed" if report.full else "answered",
                "DialCallDuration": str(round(report.seconds)),
                "DialBridged": "false" if report.full else "true",
            }
        case model.Dequeued():
            return {
                "QueueSid": report.queue,
                "QueueTime": str(round(report.seconds)),
                "DequeingCallSid": report.by,  # as Twilio writes it
            }
        case model.InRoom():
            return _conference(facts, report)
        case model.InQueue():
            return {
                "QueueSid": report.queue,
                "QueueTime": str(int(report.seconds)),
                "QueuePosition": str(report.position),
                "CurrentQueueSize": str(report.size),
            }
        case model.Queued():
            left = report.result
            return {
                "QueueResult": queue_result(left),
                "QueueTime": str(round(left.seconds)) if left is not None else "0",
                "QueueSid": report.queue,
            }
        case _:
            return {}


def _called(facts: Facts, report: model.Called) -> dict[str, str]:
    duration = {} if report.seconds is None else {"CallDuration": str(round(report.seconds))}
    return {
        "CallSid": report.leg,
        "ParentCallSid": facts.call,
        "CallStatus": report.status,
        "Direction": "outbound-dial",
        "To": report.target,
        "Called": report.target,
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(report.number),
        "Timestamp": format_datetime(datetime.fromtimestamp(report.wall, UTC)),
        **duration,
    }


def _referred(result: steps.Transferred) -> dict[str, str]:
    if result.outcome == "sent":
        return {
            "ReferCallStatus": "completed",
            "ReferSipResponseCode": "202",
            "NotifySipResponseCode": "200",
        }
    return {"ReferCallStatus": dial_status(result), "ReferSipResponseCode": str(result.status or 503)}


def _conference(facts: Facts, report: model.InRoom) -> dict[str, str]:
    join, whole_room = report.join, report.event in ("start", "end")
    return {
        "CallSid": report.call,
        "ConferenceSid": f"conf:{facts.account}:{report.room}",
        "FriendlyName": report.room,
        "StatusCallbackEvent": f"{'conference' if whole_room else 'participant'}-{report.event}",
        "SequenceNumber": str(report.number),
        "Timestamp": format_datetime(datetime.fromtimestamp(report.wall, UTC)),
        "Muted": "true" if join.step.muted else "false",
        "StartConferenceOnEnter": "true" if join.starts else "false",
        "EndConferenceOnExit": "true" if join.ends else "false",
    }


def recording_name(path: str) -> str:
    """The name of a recording, by its file."""
    return path.rpartition("/")[2].partition(".")[0]
