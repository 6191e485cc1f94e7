"""A supervisor hears a conversation, helps the agent unheard by the customer, speaks to both, or takes over.

Start: `python 16_supervisor.py` beside a `sipcc.toml` with a user 1001 whose phone is registered.
Dial 4008001234 as the customer; then dial 616 from another phone. There 1 listens, 2 whispers to the agent,
3 speaks with both, 4 takes the agent's place, and # leaves.
"""

from sipcc import Call, CallRejected, Switch, TransactionTimeout
from sipcc.rtp import DigitEnded

app = Switch.from_toml("sipcc.toml")
talks: list[Call] = []
ROLES = {"1": "listen", "2": "whisper", "3": "barge"}


@app.route("4008001234")
async def customer(call: Call) -> None:
    await call.answer()
    call.start_playing("hold", loop=True)
    try:
        leg = await call.dial("1001", timeout=20)
    except (CallRejected, TransactionTimeout):
        await call.play("no_agents", "goodbye")
        return
    talks.append(call)
    try:
        await call.bridge(leg)
    finally:
        talks.remove(call)


@app.route("616")
async def supervisor(call: Call) -> None:
    await call.answer()
    if not talks:
        await call.play("goodbye")
        return
    supervision = await call.supervise(talks[-1])

    def press(key: object) -> None:
        if not isinstance(key, DigitEnded) or supervision.over:
            return
        if key.digit in ROLES:
            supervision.role = ROLES[key.digit]
        elif key.digit == "4":
            call.context.scope.spawn(supervision.take_over(), name=f"{call.id}/take-over")
        elif key.digit == "#":
            supervision.leave()

    call.listen_keys(press)
    how = await supervision.wait_over()
    call.unlisten_keys(press)
    print(f"the supervision has {how}", flush=True)  # left, or ended with the customer's call
    await call.play("thank_you")


if __name__ == "__main__":
    app.run()
