"""The caller is greeted, and then hears what it says.

Start: `python 02_answer_and_echo.py` beside a `sipcc.toml` (`sipccd init` writes one).
Dial 602 from a registered phone.
"""

from sipcc import Call, Switch

app = Switch.from_toml("sipcc.toml")


@app.route("602")
async def echo(call: Call) -> None:
    await call.answer()
    await call.play("welcome")
    call.leg.media.echo()
    await call.wait_ended()  # a handler that returns hangs up


if __name__ == "__main__":
    app.run()
