"""Who types the same number of a room talks with everybody in it; 6 mutes and unmutes, # leaves.

Start: `python 15_conference.py` beside a `sipcc.toml` (`sipccd init` writes one).
Dial 615 from the trunk or from registered phones, type a room such as 123 and ``#``.
"""

from sipcc import Call, Switch
from sipcc.rtp import DigitEnded

app = Switch.from_toml("sipcc.toml")


@app.route("615")
async def conference(call: Call) -> None:
    await call.answer()
    room = await call.ask("enter_number", digits=(1, 6), timeout=8)
    if room is None:
        await call.play("goodbye")
        return
    await call.play("beep")
    stay = await call.join(f"room {room}")
    muted = False

    def press(key: object) -> None:
        nonlocal muted
        if not isinstance(key, DigitEnded):
            return
        if key.digit == "6":
            muted = not muted
            stay.mute(muted)
        elif key.digit == "#":
            stay.leave()

    call.listen_keys(press)
    here = call.context.conferences.members(stay.name)
    print(f"{call.caller} is in {stay.name} with {len(here) - 1} others", flush=True)
    how = await stay.wait_over()  # a caller who hangs up ends this function
    call.unlisten_keys(press)
    print(f"{call.caller} has {how} {stay.name}", flush=True)
    await call.play("thank_you")


if __name__ == "__main__":
    app.run()
