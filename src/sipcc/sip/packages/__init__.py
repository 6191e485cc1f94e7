"""Event packages: calls of a user for lamps, message counts, registrations. Cores without sockets or time."""

from sipcc.sip.packages.dialog_info import DialogInfo, DialogPackage, Party, WatchedDialog, parse_dialog_info
from sipcc.sip.packages.mwi import Mailboxes, Summary, parse_summary
from sipcc.sip.packages.reg_info import RegistrationPackage

__all__ = [
    "DialogInfo",
    "DialogPackage",
    "Mailboxes",
    "Party",
    "RegistrationPackage",
    "Summary",
    "WatchedDialog",
    "parse_dialog_info",
    "parse_summary",
]
