"""What callers of a menu meet when the way that they chose leads nowhere."""

from __future__ import annotations

from pathlib import Path

import msgspec
from tests.flow.centre import Centre

NUMBER = "4008120009"
MENU = f'''
[[numbers]]
number = "{NUMBER}"
to = "menu:direct"
[[menus]]
name = "direct"
prompt = "welcome"
options = {{ "1002" = "dial:1002", "0,9" = "dial:1002" }}
then = "queue:sales"
timeout = 3
noinput = 1
'''


async def test_a_telephone_that_is_not_there_is_followed_by_goodbye_and_the_end(
    tmp_path: Path,
) -> None:
    async with Centre(tmp_path, extra=MENU) as centre:
        caller = await centre.carrier.call(NUMBER)
        await caller.answered()
        await caller.press("1002")
        await caller.ended(timeout=30.0)
        [fallen] = centre.told("FlowFellBack")
        told = msgspec.structs.asdict(fallen)
        assert (told["flow"], told["to"]) == ("menu:direct", "play:goodbye")
        assert told["reason"].startswith("dial:1002: rejected with 480")
