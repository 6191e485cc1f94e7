from __future__ import annotations

import pytest

from sipcc.sip.timers import Timers


def test_the_rfc_values() -> None:
    timers = Timers()
    assert (timers.t1, timers.t2, timers.t4, timers.timeout) == (0.5, 4.0, 5.0, 32.0)


def test_frozen() -> None:
    with pytest.raises(AttributeError):
        Timers().t1 = 1.0  # type: ignore[misc]
