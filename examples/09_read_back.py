"""A caller types an order number, hears it read back, and confirms it.

Put it beside a `sipcc.toml` that has a trunk or a user, start it, and dial 4008123456. The prompts are
built in; files of the same names in the folder `prompts` replace them. Keys may be typed ahead:
``20251121#1`` in one go plays nothing but the thanks.
"""

from sipcc import Call, Switch

TRIES = 3


async def order(call: Call) -> None:
    await call.answer()
    for _ in range(TRIES):
        number = await call.ask("enter_number", digits=(4, 12), allowed="0123456789", timeout=8)
        if number is None:
            await call.play("noinput" if call.last_outcome == "noinput" else "invalid")
            continue
        # Names can be values: what is said is one prompt, so that a key cuts it off anywhere.
        answer = await call.ask(f"say:phone:{number}", "confirm", options=("1", "2"), timeout=5)
        if answer == "1":
            call.variables["order"] = number
            await call.play("thank_you")
            return
    await call.play("goodbye")


if __name__ == "__main__":
    app = Switch.from_toml("sipcc.toml")
    app.route("4008123456")(order)
    app.run()
