"""A caller presses 1 for sales or anything else for the help desk, and waits for an agent.

Start it beside a `sipcc.toml` (`sipccd init sipcc.toml` writes one), register a softphone as an agent, and
dial 4008001234 from a trunk or another softphone.
"""

from sipcc import Call, Switch

app = Switch.from_toml("sipcc.toml")


@app.route("4008001234")
async def support(call: Call) -> None:
    await call.answer()
    digit = await call.ask("welcome", digits=1, timeout=5)
    await app.queue("sales" if digit == "1" else "helpdesk").enter(call)


if __name__ == "__main__":
    app.run()
