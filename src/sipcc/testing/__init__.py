"""The test kit: virtual clock, memory network, fake phone and carrier, tones."""

import sipcc.rtp as _rtp  # noqa: F401  # first, because it keeps the BLAS of numpy to one thread
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
