"""The test kit: virtual clock, memory network, fake phone and carrier, tones."""

from sipcc.testing.link import Link, Nat
from sipcc.testing.loop import DeadlockError, VirtualClockLoop, run_virtual
from sipcc.testing.network import HostNetwork, MemoryNetwork
from sipcc.testing.wires import MemorySockets, MemoryStream, Packet

__all__ = [
    "DeadlockError",
    "HostNetwork",
    "Link",
    "MemoryNetwork",
    "MemorySockets",
    "MemoryStream",
    "Nat",
    "Packet",
    "VirtualClockLoop",
    "run_virtual",
]
