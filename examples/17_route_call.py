"""Routing by a function that is installed: who stays away is won back, a good customer comes first.

In the `pyproject.toml` of a package of yours, with this file in it as `route_call.py`:

    [project.entry-points."sipcc.routers"]
    by-customer = "route_call:by_customer"

Install that package beside sipcc and write in sipcc.toml:

    [[routers]]
    name = "customers"
    plugin = "by-customer"
    default = "queue:general"

    [[numbers]]
    number = "4008123456"
    to = "router:customers"

`sipccd check` tells whether the function is found. Start `sipccd run` and dial the number; `sipccd ladder`
shows each decision.
"""

from typing import Any

CUSTOMERS = {
    "13800138000": {"days_since_last_order": 45, "total_spent": 9000},
    "13900139000": {"days_since_last_order": 3, "total_spent": 8000},
}
"""Where your customer database would be."""


def route_call(user_data: dict[str, Any]) -> str:
    """The queue of a customer."""
    if user_data["days_since_last_order"] > 30:
        return "retention"
    if user_data["total_spent"] > 5000:
        return "vip"
    return "general"


async def by_customer(user_data: dict[str, Any]) -> str:
    """Ask for each call. A plain function may be used too: it runs in a thread. Either has 0.1 s."""
    customer = CUSTOMERS.get(user_data["caller"])
    return "general" if customer is None else route_call({**user_data, **customer})
