"""Draws the ladder of one call in text: messages as arrows, timers and decisions between them.

                            carrier                        sipcc                          ann
        0.000 s                |                             |                             |
               * route: queue:sales (number 4008123456)
        0.000 s                |--INVITE 4008123456 SDP----->|                             |
        0.500 s                |                             | timer A: INVITE sent again  |

There is one column for each address that took part; all legs of a call are in one ladder.
"""

from __future__ import annotations

from collections.abc import Callable

from sipcc.sip.trace import Ladder, Rung

TIME_WIDTH = 12
COLUMN_WIDTH = 30
DECISION_INDENT = 15


def draw(
    ladder: Ladder,
    *,
    here: str = "sipcc",
    name_of: Callable[[str], str] = str,
    texts: bool = False,
) -> str:
    """The ladder as text; the first peer stands left, all others right of us (`here`).

    `name_of` names an address ``host:port``; two addresses of one name share a column. With `texts` each
    message follows its arrow.
    """
    peers = list(dict.fromkeys(name_of(rung.remote) for rung in ladder.rungs if rung.remote))
    names = [peers[0], here, *peers[1:]] if peers else [here]
    middle = [TIME_WIDTH + COLUMN_WIDTH // 2 + index * COLUMN_WIDTH for index in range(len(names))]
    us = middle[min(1, len(names) - 1)]
    lines = [title(ladder), _header(names, middle)]
    for rung in ladder.rungs:
        if rung.kind == "decision":
            why = f" ({rung.why})" if rung.why else ""
            lines.append(f"{_time(rung)} {'* ':>{DECISION_INDENT - TIME_WIDTH}}{rung.label}{why}")
            continue
        line = [" "] * (middle[-1] + 1)
        for at in middle:
            line[at] = "|"
        line[:TIME_WIDTH] = f"{_time(rung):<{TIME_WIDTH}}"
        peer = middle[names.index(name_of(rung.remote))] if rung.remote else us
        if rung.kind == "timer":
            _write(line, us, peer, rung.label)
        else:
            source, target = (peer, us) if rung.direction == "in" else (us, peer)
            _arrow(line, source, target, f"{rung.label} again" if rung.repeat else rung.label)
        lines.append("".join(line).rstrip())
        if texts and rung.text:
            lines += [f"{'':{DECISION_INDENT}}{each.rstrip()}" for each in _printable(rung.text).split("\n")]
    if ladder.dropped:
        lines.append(f"{ladder.dropped} more messages and notes were between the first and the last ones.")
    return "\n".join(lines)


def title(ladder: Ladder) -> str:
    """The line above a ladder: which call it is."""
    if not ladder.call:
        return f"Dialog {' '.join(ladder.sip_call_ids)}, of no call"
    parties = f": {ladder.caller} called {ladder.called}" if ladder.called else ""
    return f"Call {ladder.call}{parties}"


def _time(rung: Rung) -> str:
    return f"{rung.at:9.3f} s"


def _printable(text: str) -> str:
    """`text` without what would drive a terminal; what a peer sent is shown, not obeyed."""
    text = text.replace("\r\n", "\n")
    return "".join(char if char.isprintable() or char == "\n" else "?" for char in text)


def _header(names: list[str], middle: list[int]) -> str:
    header = [" "] * (middle[-1] + COLUMN_WIDTH // 2)
    for name, at in zip(names, middle, strict=True):
        text = name[: COLUMN_WIDTH - 2]
        start = at - len(text) // 2
        header[start : start + len(text)] = text
    return "".join(header).rstrip()


def _write(line: list[str], us: int, peer: int, label: str) -> None:
    """A note between us and the peer, beside the peer's column."""
    room = COLUMN_WIDTH - 3
    text = label if len(label) <= room else label[: room - 1] + "~"
    start = us + 2 if peer == us else peer + 2 if peer < us else peer - len(text) - 2
    line += [" "] * max(0, start + len(text) - len(line))
    line[start : start + len(text)] = text


def _arrow(line: list[str], source: int, target: int, label: str) -> None:
    if source == target:
        return
    left, right = sorted((source, target))
    line[left + 1 : right] = "-" * (right - left - 1)
    if target == right:
        line[right - 1] = ">"
    else:
        line[left + 1] = "<"
    room = min(right - left, COLUMN_WIDTH) - 5
    text = label if len(label) <= room else label[: room - 1] + "~"
    near = left + 3 if source == left else right - 2 - len(text)
    line[near : near + len(text)] = text
