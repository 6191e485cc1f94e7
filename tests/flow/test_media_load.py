"""An engine at its limit refuses new calls, and serves those it has."""

from __future__ import annotations

import pytest
from tests.flow.stage import Stage

from sipcc.errors import PortsExhausted


async def test_a_new_call_is_refused_and_the_second_leg_of_one_is_not() -> None:
    stage = Stage()
    leg = await stage.join()
    core = stage.engine._core
    assert core is not None
    try:
        now = stage.engine._now()
        for tick in range(2500):  # two and a half seconds in which each tick takes all of its time
            core.load.note(late=0.0, busy=0.001, packets=9, now=now + tick / 1000)
        with pytest.raises(PortsExhausted, match="media is at its limit: busy for 100% of the time"):
            await stage.engine.open()
        second = await stage.engine.open(near=leg.port)
        leg.port.bridge(second)
        (load,) = stage.engine.loads
        assert (load.ports, load.refused) == (2, 1)
        await second.close()
    finally:
        await stage.close()
