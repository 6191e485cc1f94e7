"""What to say and what to ask: prompts, menus, flows."""

from sipcc.ivr.check import Finding, check_menus
from sipcc.ivr.events import HoursOverridden, MenuEntered, MenuLeft
from sipcc.ivr.hours import Calendar, HoursSettings, OpenVerdict
from sipcc.ivr.prompts import MissingPrompt, PromptCatalogue
from sipcc.ivr.say import say
from sipcc.ivr.settings import IvrSettings, MenuSettings

__all__ = [
    "Calendar",
    "Finding",
    "HoursOverridden",
    "HoursSettings",
    "IvrSettings",
    "MenuEntered",
    "MenuLeft",
    "MenuSettings",
    "MissingPrompt",
    "OpenVerdict",
    "PromptCatalogue",
    "check_menus",
    "say",
]
