"""The caller is put through to the user 1001, and the conversation is recorded in stereo.

Start: `python 04_bridge_and_record.py` beside a `sipcc.toml` with a user 1001 whose phone is registered.
Dial 605 from the trunk or another phone. The file lies in the folder `recordings`: left the caller, right
what the caller heard.
"""

from sipcc import Call, CallRejected, Switch, TransactionTimeout

app = Switch.from_toml("sipcc.toml")


@app.route("605")
async def put_through(call: Call) -> None:
    await call.answer()
    await call.play("record_notice")
    call.start_playing("hold", loop=True)
    try:
        leg = await call.dial("1001", timeout=20)
    except (CallRejected, TransactionTimeout):  # busy, declined, not there; or nobody picked up
        await call.play("no_agents", "goodbye")
        return
    result = await call.bridge(leg, record=True)
    if result.ended_by == "callee":
        await call.play("thank_you")


if __name__ == "__main__":
    app.run()
