"""Who answers: agents, queues, strategies, the router."""

from sipcc.acd.callback import Callback, CallbackSettings, SavedCallback
from sipcc.acd.events import (
    AgentStateChanged,
    Exit,
    OfferEnded,
    OfferMade,
    OfferOutcome,
    QueueJoined,
    QueueLeft,
    TalkEnded,
)
from sipcc.acd.model import Agent, AgentState, Entry, EntryState, QueueResult, Strategy, Turn, Verdict
from sipcc.acd.protocols import AgentLeg, Caller, Customer, Customers, Dialer, Presence, RingOutcome, Talk
from sipcc.acd.recall import RecallTask
from sipcc.acd.router import decide
from sipcc.acd.service import Acd, QueueHandle
from sipcc.acd.settings import AgentSettings, QueueSettings
from sipcc.acd.snapshot import AgentSnapshot, CallerSnapshot, QueueSnapshot, Snapshot

__all__ = [
    "Acd",
    "Agent",
    "AgentLeg",
    "AgentSettings",
    "AgentSnapshot",
    "AgentState",
    "AgentStateChanged",
    "Callback",
    "CallbackSettings",
    "Caller",
    "CallerSnapshot",
    "Customer",
    "Customers",
    "Dialer",
    "Entry",
    "EntryState",
    "Exit",
    "OfferEnded",
    "OfferMade",
    "OfferOutcome",
    "Presence",
    "QueueHandle",
    "QueueJoined",
    "QueueLeft",
    "QueueResult",
    "QueueSettings",
    "QueueSnapshot",
    "RecallTask",
    "RingOutcome",
    "SavedCallback",
    "Snapshot",
    "Strategy",
    "Talk",
    "TalkEnded",
    "Turn",
    "Verdict",
    "decide",
]
