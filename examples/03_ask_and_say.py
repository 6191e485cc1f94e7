"""The caller types a number and hears it: its digits, its double, and today's date.

Start: `python 03_ask_and_say.py` beside a `sipcc.toml` (`sipccd init` writes one).
Dial 603 from a registered phone, type up to six digits and ``#``. 604 is the same in Chinese.
"""

from datetime import date

from sipcc import Call, Switch

app = Switch.from_toml("sipcc.toml")


@app.route("603")
@app.route("604")
async def double(call: Call) -> None:
    call.language = "zh" if call.called == "604" else "en"
    await call.answer()
    typed = await call.ask("enter_number", digits=(1, 6), allowed="0123456789", timeout=8)
    if typed is None:
        # last_outcome tells whether nothing came, or nothing that could be meant
        await call.play("noinput" if call.last_outcome == "noinput" else "invalid", "goodbye")
        return
    await call.say("digits", typed)
    await call.say("number", 2 * int(typed))
    await call.say("date", date.today())
    await call.play("thank_you")


if __name__ == "__main__":
    app.run()
