"""Every error that sipcc raises, as one tree.

    SipccError
    +- ConfigError                a setting is wrong: names file, key, cause and cure
    +- ProtocolError              (abstract) a rule of a protocol was broken
    |  +- LocalProtocolError      by us or by the code that uses us
    |  +- RemoteProtocolError     by the peer; `status_hint` is the SIP answer it earns
    |     +- ParseError           the peer's bytes cannot be read; `offset` and `layer` say where
    +- TransportError             bytes could not be moved
    |  +- ResolveError            no address for a name
    |  +- ConnectError            no connection to an address
    +- LoopDetected               a call would come back to ourselves
    +- TransactionTimeout         no final answer in time (Timer B or F)
    +- CallError                  a call did not go as asked
       +- CallRejected            the far side said no with a SIP status
       |  +- CallBlocked          we said no: the toll guard lets nobody call there
       +- CallEnded               the call is over; raised by the next verb on it
       +- NoCommonCodec           offer and answer share no codec
       +- PortsExhausted          no RTP port is free

Each carries a `disposition` that call records, metrics and fail-over read, so that nobody has to parse
a message.
"""

from __future__ import annotations

from typing import Literal

import msgspec

Fault = Literal["us", "peer", "network", "caller", "nobody"]


class Disposition(msgspec.Struct, frozen=True):
    """What an error means to the records, to metrics and to fail-over."""

    cause: str
    """Hang-up cause in the words of `sipcc.call.cause`, such as ``"busy"``."""
    sip_status: int
    """The SIP status to answer an upstream leg with."""
    fault: Fault
    """Whose fault it was."""
    retryable: bool
    """True when another trunk or agent may be tried."""


class SipccError(Exception):
    """Base of all errors of this package."""

    disposition = Disposition("failed", 500, "us", retryable=False)


class ConfigError(SipccError):
    """A setting is wrong.

    `path` is the place (``"sipcc.toml:12 trunks[0].port"``), `hint` the cure.
    """

    def __init__(self, path: str, message: str, *, hint: str = "") -> None:
        super().__init__(f"{path}: {message}" + (f" ({hint})" if hint else ""))
        self.path = path
        self.message = message
        self.hint = hint


class ProtocolError(SipccError):
    """A rule of a protocol was broken; see the two subclasses for whose fault it was."""


class LocalProtocolError(ProtocolError):
    """The code that uses us asked for something that the protocol does not allow now."""


class RemoteProtocolError(ProtocolError):
    """The peer broke the rules; `status_hint` is the SIP status that it earns."""

    disposition = Disposition("protocol_error", 400, "peer", retryable=False)

    def __init__(self, message: str, *, status_hint: int = 400) -> None:
        super().__init__(message)
        self.status_hint = status_hint


class ParseError(RemoteProtocolError):
    """Bytes from the network cannot be read.

    `layer` is one of ``"framing"``, ``"start-line"``, ``"header:NAME"``, ``"semantic"``, ``"body"``;
    `offset` is the index of the byte where reading stopped, or -1 when it is not known.
    """

    def __init__(self, message: str, *, layer: str, offset: int = -1, status_hint: int = 400) -> None:
        super().__init__(message, status_hint=status_hint)
        self.layer = layer
        self.offset = offset


class TransportError(SipccError):
    """Bytes could not be moved."""

    disposition = Disposition("network_out_of_order", 503, "network", retryable=True)


class ResolveError(TransportError):
    """A name has no usable address."""


class ConnectError(TransportError):
    """A connection to an address could not be made."""


class LoopDetected(SipccError):
    """A call would come back to ourselves (answered with 482)."""

    disposition = Disposition("failed", 482, "us", retryable=False)


class TransactionTimeout(SipccError):
    """No final answer came in time (RFC 3261 Timer B or F)."""

    disposition = Disposition("no_response", 408, "peer", retryable=True)

    def __init__(self, timer: str, *, provisionals: int = 0) -> None:
        super().__init__(f"timer {timer} fired after {provisionals} provisional responses")
        self.timer = timer
        self.provisionals = provisionals


class CallError(SipccError):
    """A call did not go as asked."""


class CallRejected(CallError):
    """The far side refused with a final SIP status of 300 or more; `rang` tells whether it rang before."""

    def __init__(self, status: int, reason: str = "", *, rang: bool = False) -> None:
        super().__init__(f"rejected with {status} {reason}".rstrip())
        self.status = status
        self.reason = reason
        self.rang = rang
        self.disposition = Disposition("rejected", status, "peer", retryable=status in {408, 480, 500, 503})


class CallBlocked(CallRejected):
    """Our own rules refuse it: nothing was sent. `why` is a word of `sipcc.call.tollguard`."""

    def __init__(self, why: str, status: int = 403) -> None:
        super().__init__(status, f"blocked: {why}")
        self.why = why
        self.disposition = Disposition("blocked", status, "us", retryable=False)


class CallEnded(CallError):
    """The call is over; the next verb on it raises this, and the runner of the call catches it."""

    disposition = Disposition("normal", 487, "nobody", retryable=False)

    def __init__(self, cause: str) -> None:
        super().__init__(f"the call has ended: {cause}")
        self.cause = cause


class NoCommonCodec(CallError):
    """Offer and answer share no codec (answered with 488)."""

    disposition = Disposition("incompatible", 488, "nobody", retryable=False)


class PortsExhausted(CallError):
    """No RTP port is free (answered with 503)."""

    disposition = Disposition("no_resources", 503, "us", retryable=True)
