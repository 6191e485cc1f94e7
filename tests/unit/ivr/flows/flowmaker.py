"""Makes flows by chance that have no mistakes, and puts one of 21 kinds of mistakes into them."""

import copy
import json
import math
import random
import struct
import wave
from pathlib import Path

from msgspec.structs import replace

from sipcc.ivr.flows.check import World
from sipcc.ivr.flows.load import parse_flow
from sipcc.ivr.hours import HoursSettings
from sipcc.ivr.prompts import PromptCatalogue
from sipcc.ivr.settings import IvrSettings

WEEK = {"mon-fri": "09:00-12:00, 13:00-18:00", "sat": "10:00-16:00"}


def toml_of(value):
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {toml_of(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def text_of(flow):
    """A flow as TOML, one key a line."""
    lines = [f"{key} = {toml_of(value)}" for key, value in flow.items() if key != "nodes"]
    for name, node in flow["nodes"].items():
        lines += ["", f"[nodes.{name}]", *(f"{json.dumps(k)} = {toml_of(v)}" for k, v in node.items())]
    return "\n".join(lines) + "\n"


def read(flows):
    """The flows of a dictionary of dictionaries, through the reader of files."""
    read = []
    for name, flow in flows.items():
        made, report = parse_flow(text_of(flow), name, file=f"{name}.toml")
        assert made is not None, report.findings
        read.append(made)
    return read


def sound(path: Path, *, seconds=1.0, rate=8000, level=0.5):
    path.parent.mkdir(parents=True, exist_ok=True)
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", ""))
        second = b"".join(
            struct.pack("<h", int(32767 * level * math.sin(index / 3))) for index in range(rate)
        )
        file.writeframes(second * int(seconds))


def world_of(folder: Path) -> World:
    """A configuration with everything that the flows use; bad sounds are in `folder`."""
    if not (folder / "en").is_dir():
        sound(folder / "en/quiet.wav", level=0.0)
        sound(folder / "en/endless.wav", seconds=31.0)
        sound(folder / "en/dull.wav", rate=4000)
        (folder / "en/broken.wav").write_bytes(b"RIFF and nothing else")
    return World(
        known={
            "queue": {"service", "vip"},
            "menu": {"old"},
            "trunk": {"carrier"},
            "user": {"1001"},
            "voicemail": {"office"},
        },
        calendars={"shop": HoursSettings(name="shop", week=WEEK)},
        lookups={"crm", "bank"},
        catalogue=PromptCatalogue(IvrSettings(prompts=str(folder))),
    )


class Maker:
    """One flow, and one that it calls."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.nodes: dict[str, dict] = {}

    def make(self):
        rng = self.rng
        nodes = self.nodes
        nodes["open"] = {"type": "hours", "calendar": "shop", "open": "who", "closed": "night"}
        nodes["who"] = {
            "type": "lookup", "source": "crm", "into": "account", "deadline": 0.8,
            "when": [["account.level >= 3", "vip"]], "then": "main", "failed": "main",
        }  # fmt: skip
        self.menu("main", depth=rng.randint(1, 3))
        nodes["vip"] = {"type": "queue", "queue": "vip", "then": "rate", "unserved": "night"}
        nodes["agent"] = {
            "type": "queue", "queue": "service", "priority": rng.randint(1, 9),
            "exits": {"no_agent": "night"}, "then": "rate", "unserved": "night",
        }  # fmt: skip
        nodes["rate"] = {
            "type": "survey", "prompt": "How was it, from 1 to 5?", "store": "csat",
            "then": "hangup", "retry": {"noinput": 1, "then": "hangup"},
        }  # fmt: skip
        nodes["night"] = {"type": "voicemail", "box": "office", "then": "hangup"}
        main = {"start": "open", "nodes": nodes}
        if rng.random() < 0.5:
            main["languages"] = ["en"]
        return {"main": main, "order": ORDER}

    def menu(self, name, depth):
        rng = self.rng
        node = {"type": "menu", "prompt": rng.choice(["welcome", "For sales, press one."]), "options": {}}
        self.nodes[name] = node
        for digit in range(1, rng.randint(2, 3) + 1):
            node["options"][str(digit)] = self.leaf(f"{name}_{digit}", depth)
        if rng.random() < 0.5:
            node["options"]["0"] = "agent"
        if rng.random() < 0.5:
            node["options"]["*"] = rng.choice(["back", "top"])
        node["retry"] = {"noinput": rng.randint(0, 3), "nomatch": 2, "then": "agent"}
        if rng.random() < 0.3:
            node["timeout"] = 4.0

    def leaf(self, name, depth):
        if depth > 1 and self.rng.random() < 0.6:
            self.menu(name, depth - 1)
            return name
        kind = self.rng.choice(["agent", "say", "card", "order", "dial", "night", "switch", "main"])
        if kind in ("agent", "night", "main"):
            return {"main": "main", **{k: k for k in ("agent", "night")}}[kind]
        getattr(self, f"make_{kind}")(name)
        return name

    def make_say(self, name):
        prompt = self.rng.choice(["goodbye", "Thank you, {caller}.", {"say": "number", "value": "12"}])
        self.nodes[name] = {"type": "say", "prompt": prompt, "then": self.rng.choice(["hangup", "agent"])}

    def make_card(self, name):
        self.nodes[name] = {
            "type": "gather", "prompt": "Your card number, please.", "into": f"{name}_card", "digits": 16,
            "secret": True, "then": f"{name}_try", "retry": {"then": "agent"},
        }  # fmt: skip
        self.nodes[f"{name}_try"] = {
            "type": "lookup", "source": "bank", "into": f"{name}_bank", "deadline": 1.5,
            "send": {"card": f"{{{name}_card}}"}, "then": f"{name}_told", "failed": "agent",
        }  # fmt: skip
        self.nodes[f"{name}_told"] = {
            "type": "say", "prompt": {"say": "money", "value": f"{{{name}_bank.balance}}"}, "then": "agent",
        }  # fmt: skip

    def make_order(self, name):
        self.nodes[name] = {"type": "call", "flow": "order", "then": "agent"}

    def make_dial(self, name):
        to = self.rng.choice(["1001", "carrier/4008123456", "sip:desk@example.com"])
        self.nodes[name] = {"type": "dial", "to": to, "failed": "agent", "then": "hangup"}

    def make_switch(self, name):
        self.nodes[name] = {
            "type": "switch", "when": [["caller == '4008123456'", "vip"]], "else": "agent",
        }  # fmt: skip


ORDER = {
    "nodes": {
        "number": {
            "type": "gather", "prompt": "Your order number, please.", "into": "number", "digits": [6, 12],
            "then": "done", "retry": {"then": "done"},
        },
        "done": {"type": "return"},
    }
}  # fmt: skip


def clean(seed: int):
    """Flows without a mistake."""
    return copy.deepcopy(Maker(seed).make())


def plant(kind: str, seed: int, folder: Path):
    """Flows with one mistake of `kind`, the world for them, and (code, node) of what must be found."""
    flows = clean(seed)
    world = world_of(folder)
    rng = random.Random(seed * 1000 + 7)
    nodes = flows["main"]["nodes"]
    menus = [name for name, node in nodes.items() if node["type"] == "menu"]
    found = _PLANTS[kind](flows, nodes, rng, rng.choice(menus))
    if isinstance(found, HoursSettings):
        world = replace(world, calendars={"shop": found})
        found = "open"
    return flows, world, (kind.partition("_")[0], found)


def _first(nodes, kind):
    return next((name for name, node in nodes.items() if node["type"] == kind), None)


def e01(flows, nodes, rng, menu):
    nodes["island"] = {"type": "say", "prompt": "goodbye", "then": "agent"}
    return "island"


def e02(flows, nodes, rng, menu):
    nodes[menu]["options"]["1"] = rng.choice(["nowhere", "agnet", "queu:service"])
    return menu


def e02_call(flows, nodes, rng, menu):
    nodes["caller_"] = {"type": "call", "flow": "ordre", "then": "agent"}
    nodes[menu]["options"]["1"] = "caller_"
    return "caller_"


def e03(flows, nodes, rng, menu):
    nodes["end"] = {"type": "say", "prompt": "goodbye"}
    nodes[menu]["options"]["1"] = "end"
    return "end"


def e04(flows, nodes, rng, menu):
    if rng.random() < 0.5:
        del nodes[menu]["retry"]
    else:
        del nodes[menu]["retry"]["then"]
    return menu


def e05(flows, nodes, rng, menu):
    nodes["around"] = {"type": "say", "prompt": "goodbye", "then": "about"}
    nodes["about"] = {"type": "switch", "when": [["caller == '1'", "agent"]], "else": "around"}
    nodes[menu]["options"]["1"] = "around"
    return ("around", "about")


def e05_silent(flows, nodes, rng, menu):
    nodes[menu]["retry"]["then"] = "again"
    nodes["again"] = {"type": "say", "prompt": "goodbye", "then": menu}
    return (menu, "again")


def e06(flows, nodes, rng, menu):
    nodes[menu]["prompt"] = "not_recorded"
    return menu


def e06_language(flows, nodes, rng, menu):
    flows["main"]["languages"] = ["zh-CN", "en"]
    nodes[menu]["prompt"] = {"en": "welcome"}
    return menu


def w07(flows, nodes, rng, menu):
    nodes[menu]["prompt"] = rng.choice(["quiet", "endless", "dull", "broken"])
    return menu


def e08(flows, nodes, rng, menu):
    nodes[menu]["options"]["4,1"] = "agent"
    return menu


def w09(flows, nodes, rng, menu):
    nodes[menu]["options"]["12"] = "agent"
    return menu


def e10(flows, nodes, rng, menu):
    nodes[menu]["options"] |= {"21": "agent", "#": "back"}
    return menu


def w11(flows, nodes, rng, menu):
    before = menu
    for level in range(10):
        nodes[f"deep{level}"] = {
            "type": "menu", "prompt": "welcome", "options": {"1": "agent"}, "retry": {"then": "agent"},
        }  # fmt: skip
        nodes[before]["options"]["1"] = f"deep{level}"
        before = f"deep{level}"
    return before


def w12(flows, nodes, rng, menu):
    nodes[menu]["options"] = {str(digit): "agent" for digit in range(1, 7)}
    return menu


def e12(flows, nodes, rng, menu):
    nodes[menu]["options"] = {str(digit): "agent" for digit in range(1, rng.randint(9, 10))}
    return menu


def w13(flows, nodes, rng, menu):
    nodes[menu]["options"] = rng.choice([{"2": "agent", "1": "night"}, {"1": "agent", "3": "night"}])
    return menu


def e14(flows, nodes, rng, menu):
    for name in ("agent", "vip", "night"):
        nodes[name] = {"type": "say", "prompt": "goodbye", "then": "hangup"}
    for node in nodes.values():
        if node["type"] == "dial":
            node.clear()
            node |= {"type": "say", "prompt": "goodbye", "then": "hangup"}
    return ""


def e15(flows, nodes, rng, menu):
    week = rng.choice([
        {"mon-fri": "09:00-12:00, 11:00-18:00"},
        {"mon-fri": "09:00-12:00, 12:01-18:00"},
        {"mon-fri": "09:00-18:00", "fri": "09:00-15:00"},
        {"mon": "22:00-10:00", "tue": "09:00-18:00"},
        {},
    ])  # fmt: skip
    return HoursSettings(name="shop", week=week)


def e16(flows, nodes, rng, menu):
    nodes["told"] = {"type": "say", "prompt": "You have {account.points} points.", "then": "agent"}
    nodes[menu]["options"]["1"] = "told"  # the lookup may have failed
    return "told"


def e16_never(flows, nodes, rng, menu):
    nodes["who"]["when"].insert(0, ["weather == 'rain'", "vip"])
    return "who"


def e17(flows, nodes, rng, menu):
    nodes["pin"] = {
        "type": "gather", "prompt": "Your PIN, please.", "into": "pin", "digits": 4, "secret": True,
        "then": "leak", "retry": {"then": "agent"},
    }  # fmt: skip
    nodes["leak"] = rng.choice([
        {"type": "say", "prompt": "You typed {pin}.", "then": "agent"},
        {"type": "set", "values": {"note": "pin {pin}"}, "then": "agent"},
        {"type": "switch", "when": [["pin == '1234'", "vip"]], "else": "agent"},
        {"type": "queue", "queue": "service", "context": {"pin": "{pin}"}, "unserved": "night"},
    ])  # fmt: skip
    nodes[menu]["options"]["1"] = "pin"
    return "leak"


def e18(flows, nodes, rng, menu):
    del nodes["who"][rng.choice(["deadline", "failed"])]
    return "who"


def e19(flows, nodes, rng, menu):
    if rng.random() < 0.5:
        flows["order"]["nodes"]["number"]["then"] = "again"
        flows["order"]["nodes"]["again"] = {"type": "call", "flow": "main", "then": "done"}
        nodes["order_"] = {"type": "call", "flow": "order", "then": "agent"}
    else:
        nodes["order_"] = {"type": "call", "flow": "main", "then": "agent"}
    nodes[menu]["options"]["1"] = "order_"
    return "order_"


def e20(flows, nodes, rng, menu):
    node, changes = rng.choice([
        ("agent", {"queue": "servcie"}),
        ("night", {"box": "home"}),
        ("open", {"calendar": "shpo"}),
        ("who", {"source": "cmr"}),
        (menu, {"options": {"1": "menu:odl", "2": "agent"}}),
        (menu, {"options": {"1": "dial:1002"}}),
        (menu, {"options": {"1": "dial:carier/4008123456"}}),
    ])  # fmt: skip
    nodes[node] |= changes
    return node


def w21(flows, nodes, rng, menu):
    if rng.random() < 0.5:
        nodes["agent"]["exits"]["abandoned"] = "asked"
    else:
        nodes["sent"] = {"type": "transfer", "to": "1001", "failed": "asked"}
        nodes[menu]["options"]["1"] = "sent"
    nodes["asked"] = {**nodes["rate"]}
    return "asked"


_MAKERS = (
    e01, e02, e02_call, e03, e04, e05, e05_silent, e06, e06_language, w07, e08, w09, e10, w11, w12, e12,
    w13, e14, e15, e16, e16_never, e17, e18, e19, e20, w21,
)  # fmt: skip
_PLANTS = {maker.__name__[0].upper() + maker.__name__[1:]: maker for maker in _MAKERS}

KINDS = tuple(_PLANTS)
"""The kinds of mistakes; those with a word after the code are the same kind in another form."""
