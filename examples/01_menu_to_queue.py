"""A caller presses 1 for sales or anything else for the help desk, and waits for an agent.

Start: `python 01_menu_to_queue.py` beside a `sipcc.toml` that has the queues ``sales`` and ``helpdesk``.
Dial 4008001234 from the trunk, or from a registered phone.
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
