"""A flow in Python: it asks for an order's number, looks the order up, and says where it is.

In sipcc.toml, besides a listener, users and an agent who serves the queue "helpdesk":

    [[numbers]]
    number = "4008001900"
    to = "app:orders"

Start it, and dial 4008001900. The orders are 1001 and 1002; two wrong tries lead to a person.
"""

from sipcc import Switch
from sipcc.ivr.flows import Asking, FlowCall, Retry

ORDERS = {"1001": {"state": "on its way", "days": 2}, "1002": {"state": "in the shop", "days": 0}}
"""Where your database would be."""

app = Switch.from_toml("sipcc.toml")


@app.lookup("orders")
async def find_order(asking: Asking) -> dict[str, object]:
    """What is known of an order. It has as long as whoever asks says, and may fail."""
    return {"known": asking.sent["number"] in ORDERS, **ORDERS.get(str(asking.sent["number"]), {})}


@app.flow("orders", fallback="queue:helpdesk", retry=Retry(noinput=1, nomatch=1))
async def orders(call: FlowCall) -> None:
    """One call from beginning to end."""
    await call.say("welcome")
    for _ in range(2):
        number = await call.ask("enter_number", digits=4)
        if number is None:
            break
        order = await call.lookup("orders", number=number, deadline=0.5)
        if order.get("known"):
            await call.say(
                f"Your order is {order['state']}. Days to go:", {"say": "number", "value": str(order["days"])}
            )
            choice = await call.menu("For a person, press 1. To end, hang up.", options=["1"])
            call.variables["order"] = number
            if choice is None:
                await call.hangup("goodbye")
        else:
            await call.say("We do not know this order.")
            continue
        break
    call.go("queue:helpdesk")


if __name__ == "__main__":
    app.run()
