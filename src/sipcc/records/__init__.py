"""The event log, and the records folded from it.

`RecordKeeper` writes while a switch runs. `CdrFold`, `OutcomeFold` and `KpiFold` are the pure folds behind
it; `EventLog` and `RecordStore` read, and `ReportFold` makes interval reports of what was read.
"""

from sipcc.records.cdr import Cdr, CdrFold, CdrLeg
from sipcc.records.cdrparts import CdrConsent, CdrDigits, CdrRecording
from sipcc.records.database import migrate, open_engine
from sipcc.records.eventlog import EventLog, LoggedEvent, Registry
from sipcc.records.fcr import FcrFold, FirstContacts
from sipcc.records.heatmap import HeatSpot, heat_map
from sipcc.records.keeper import RecordCounters, RecordKeeper
from sipcc.records.kpi import KpiFold, QueueFigures, ServiceLevels, figures_of
from sipcc.records.outcome import OfferRecord, OutcomeFold, QueueOutcome
from sipcc.records.report import ReportFold, ReportRow
from sipcc.records.settings import RecordSettings
from sipcc.records.store import CdrFilter, RecordStore

__all__ = [
    "Cdr",
    "CdrConsent",
    "CdrDigits",
    "CdrFilter",
    "CdrFold",
    "CdrLeg",
    "CdrRecording",
    "EventLog",
    "FcrFold",
    "FirstContacts",
    "HeatSpot",
    "KpiFold",
    "LoggedEvent",
    "OfferRecord",
    "OutcomeFold",
    "QueueFigures",
    "QueueOutcome",
    "RecordCounters",
    "RecordKeeper",
    "RecordSettings",
    "RecordStore",
    "Registry",
    "ReportFold",
    "ReportRow",
    "ServiceLevels",
    "figures_of",
    "heat_map",
    "migrate",
    "open_engine",
]
