"""The composition root: everything built from one configuration and wired together."""

from sipcc.switch.messages import TextMessage
from sipcc.switch.switch import Switch

__all__ = ["Switch", "TextMessage"]
