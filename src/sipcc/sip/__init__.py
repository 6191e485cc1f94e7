"""SIP signalling (RFC 3261 and its relatives): syntax, transactions, dialogs, endpoint."""

from __future__ import annotations

from sipcc.sip.admission import Admission, Admitted, Dropped, Refused
from sipcc.sip.auth import Credentials, DigestServer
from sipcc.sip.binding import Binding
from sipcc.sip.build import response
from sipcc.sip.endpoint import Endpoint
from sipcc.sip.guard import AccountAttacked, Guard, GuardBanned
from sipcc.sip.incoming import InboundRequest
from sipcc.sip.message import Request, Response
from sipcc.sip.notifications import Subscriber
from sipcc.sip.notifier import Notifier
from sipcc.sip.parser import parse_datagram
from sipcc.sip.registrar import BindingsChanged, Rebound, Registrar
from sipcc.sip.registration import Registration
from sipcc.sip.session import InviteSession
from sipcc.sip.session_api import SessionEvents, SessionListener, SessionPolicy, SessionState
from sipcc.sip.settings import GuardSettings, SipSettings, TrunkSettings, UserSettings
from sipcc.sip.subscriber import Notification
from sipcc.sip.subscription import EventPackage, SubscriptionSettings, SubscriptionState
from sipcc.sip.timers import Timers
from sipcc.sip.transport.base import Address, Flow, Listener, Network
from sipcc.sip.transport.manager import SocketNetwork, local_host_towards
from sipcc.sip.trunk import TrunkTable
from sipcc.sip.uri import NameAddr, SipUri

__all__ = [
    "AccountAttacked",
    "Address",
    "Admission",
    "Admitted",
    "Binding",
    "BindingsChanged",
    "Credentials",
    "DigestServer",
    "Dropped",
    "Endpoint",
    "EventPackage",
    "Flow",
    "Guard",
    "GuardBanned",
    "GuardSettings",
    "InboundRequest",
    "InviteSession",
    "Listener",
    "NameAddr",
    "Network",
    "Notification",
    "Notifier",
    "Rebound",
    "Refused",
    "Registrar",
    "Registration",
    "Request",
    "Response",
    "SessionEvents",
    "SessionListener",
    "SessionPolicy",
    "SessionState",
    "SipSettings",
    "SipUri",
    "SocketNetwork",
    "Subscriber",
    "SubscriptionSettings",
    "SubscriptionState",
    "Timers",
    "TrunkSettings",
    "TrunkTable",
    "UserSettings",
    "local_host_towards",
    "parse_datagram",
    "response",
]
