"""The back-to-back user agent of examples/12 on uvloop: `python -m benchmarks._b2bua HOST:PORT`."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import signal
import sys
from pathlib import Path
from typing import Any

import uvloop

from benchmarks._sipp import AGENT_HOST, AGENT_PORT
from sipcc.daemon import tune_collector
from sipcc.log import configure
from sipcc.sip import Address

EXAMPLE = Path(__file__).parents[1] / "examples" / "12_signalling_b2bua.py"


def example() -> Any:
    """The example as a module."""
    spec = importlib.util.spec_from_file_location("signalling_b2bua", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def main(listen: str) -> None:
    """Serve until SIGTERM, then tell what was counted as one line of JSON."""
    b2bua = example().BackToBack(listen, Address(AGENT_HOST, AGENT_PORT))
    await b2bua.endpoint.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    print("ready", flush=True)
    await stop.wait()
    for _ in range(450):  # a call whose last message was lost is given up after 64*T1
        if not b2bua.endpoint.sessions:
            break
        await asyncio.sleep(0.1)
    counted = {**b2bua.endpoint.counters, "dialogs_left": b2bua.endpoint.sessions}
    await b2bua.endpoint.stop()
    print(json.dumps(counted), flush=True)


if __name__ == "__main__":
    configure(level="error", style="json")
    tune_collector()
    gc.set_threshold(5_000, 10, 1_000)  # sessions leave no garbage, so that a full look is hardly ever due
    uvloop.run(main(sys.argv[1]))
