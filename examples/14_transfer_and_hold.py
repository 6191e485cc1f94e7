"""The callee writes what shall become of the call: a text message in the call is a command of the program.

Start: `python 14_transfer_and_hold.py` beside a `sipcc.toml` with users 1001 and 1002, whose phones register.
Dial 614 from the trunk or a third phone. 1001 answers, and may write `hold`, `resume`, `transfer 1002`,
`refer 1002` (the caller's phone is asked to call there itself) or `say Back in a minute.`
"""

from sipcc import Call, CallEnded, CallRejected, Leg, Switch, TransactionTimeout
from sipcc.sip import InboundRequest

app = Switch.from_toml("sipcc.toml")


@app.route("614")
async def desk(call: Call) -> None:
    await call.ring()
    try:
        leg = await call.dial("1001", timeout=20)
    except (CallRejected, TransactionTimeout):
        await call.redirect("sip:reception@pbx.example.com")  # 302: the caller's side tries that instead
        return

    def take(party: Leg, inbound: InboundRequest) -> bool:
        if inbound.request.method != "MESSAGE" or party is not leg:
            return False  # as if this function was not there
        call.context.scope.spawn(obey(call, inbound), name=f"{call.id}/order")
        return True

    call.on_request = take
    talk = await call.bridge(leg)
    print("the talk is over:", "transferred" if talk.transferred else talk.ended_by, flush=True)
    await call.play("thank_you")  # after a transfer it waits until that talk is over as well


async def obey(call: Call, inbound: InboundRequest) -> None:
    inbound.reply(202)
    verb, _, words = inbound.request.body.decode("utf-8", "replace").partition(" ")
    outcome: object = "not understood"
    try:
        if verb == "hold":
            outcome = await call.hold()  # True: the caller agreed; both hear music until `resume`
        elif verb == "resume":
            outcome = await call.resume()
        elif verb == "transfer":
            outcome = await call.transfer(words)  # 200; or why not, and then the talk goes on
        elif verb == "refer":
            outcome = await call.refer(words)  # the same, by us when its phone knows no REFER
        elif verb == "say":
            outcome = await call.send_message(words)
    except CallEnded:
        outcome = "too late"
    print(f"{verb}:", outcome, flush=True)


if __name__ == "__main__":
    app.run()
