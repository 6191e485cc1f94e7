"""A bot in Python says back what the caller says; 1 silences it and wakes it, 0 goes on to 1002.

Start: `python 20_echo_bot.py` beside a `sipcc.toml` (`sipccd init` writes one).
Dial 620 from the trunk or from registered phones.
"""

from sipcc import Call, Switch
from sipcc.ivr.bots.python import Bot, Line, run_bot

app = Switch.from_toml("sipcc.toml")


class Echo(Bot):
    """Says back what it hears."""

    async def on_start(self, line: Line) -> None:
        self.line = line
        self.talking = True

    async def on_audio(self, pcm: bytes, at_ms: int) -> None:
        if self.talking:
            await self.line.audio(pcm)

    async def on_dtmf(self, digit: str) -> None:
        if digit == "1":
            self.talking = not self.talking
            cleared = await self.line.clear()
            print(f"the caller has heard {cleared.total_ms} ms", flush=True)
        elif digit == "0":
            self.line.note("wants a person", {"echo": "enough"})
            self.line.transfer("dial:1002")


@app.route("620")
async def echo(call: Call) -> None:
    await run_bot(call, Echo(), services=app.treatments.services)


if __name__ == "__main__":
    app.run()
