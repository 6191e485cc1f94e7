"""The HTTP interface: state, commands, events and figures for programs beside the switch.

`make_api` builds it over anything that is a `CentreApi`; `ApiServer` serves it in the running loop. Both
load a web framework, so they are imported from `sipcc.api.app` and `sipcc.api.server` when one starts.
"""

from sipcc.api.access import Permit, Tokens, digest_of, may
from sipcc.api.settings import ApiSettings, Role, TokenSettings

__all__ = ["ApiSettings", "Permit", "Role", "TokenSettings", "Tokens", "digest_of", "may"]
