"""VoiceXML 2.1: an interpreter for live calls, and a simulated platform for those who judge it."""

from sipcc.ivr.vxml.documents import Library
from sipcc.ivr.vxml.errors import DocumentError, Event
from sipcc.ivr.vxml.interpreter import Setup, interpret
from sipcc.ivr.vxml.machine import Limits
from sipcc.ivr.vxml.parse import ParseLimits
from sipcc.ivr.vxml.platform import HungUp, Pressed, Said, Silent, Spoke, TransferEnds
from sipcc.ivr.vxml.signals import Exit, Note
from sipcc.ivr.vxml.simulate import NotWaiting, Simulation, simulate

__all__ = [
    "DocumentError",
    "Event",
    "Exit",
    "HungUp",
    "Library",
    "Limits",
    "NotWaiting",
    "Note",
    "ParseLimits",
    "Pressed",
    "Said",
    "Setup",
    "Silent",
    "Simulation",
    "Spoke",
    "TransferEnds",
    "interpret",
    "simulate",
]
