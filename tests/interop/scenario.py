"""SIPp scenarios in a few words: `Script` writes the XML that SIPp reads.

The plain calls of the main job are files in ``scenarios``; those of features differ in a header or in the
order of two messages, and read better beside what is asserted of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import quoteattr

TAG = "[pid]SIPp[call_number]"
CONTACT = "Contact: <sip:[local_ip]:[local_port];transport=[transport]>"


def sdp(
    direction: str = "sendrecv",
    *,
    version: int = 1,
    address: str = "[media_ip]",
    codec: int = 0,
    ptime: int = 20,
    events: bool = True,
    more: str = "",
) -> str:
    """A description of one audio stream on SIPp's media port; `more` are lines of other media."""
    name = {0: "PCMU", 8: "PCMA", 18: "G729"}[codec]
    keys = "a=rtpmap:101 telephone-event/8000\na=fmtp:101 0-15\n" if events else ""
    return (
        f"v=0\no=- 53655765 {version} IN IP4 [local_ip]\ns=-\nc=IN IP4 {address}\nt=0 0\n"
        f"m=audio [media_port] RTP/AVP {codec}{' 101' if events else ''}\na=rtpmap:{codec} {name}/8000\n"
        f"{keys}a=ptime:{ptime}\na={direction}" + (f"\n{more}" if more else "")
    )


class Script:
    """One scenario, written step by step; each verb returns the script.

    A request that was received is remembered under its method (or `keep`), so that it may be answered after
    others have come. Our own dialog is known after `recv` with ``dialog=True``.
    """

    def __init__(self, name: str, *, calls: bool) -> None:
        self.name = name
        self.calls = calls
        """True for the calling side."""
        self._steps: list[str] = []
        self._variables: set[str] = set()
        self._tag = ""

    # -- what is received ------------------------------------------------------------------------

    def recv(
        self, what: int | str, *, optional: bool = False, dialog: bool = False, keep: str = "", more: str = ""
    ) -> Script:
        """Wait for a response by its status, or for a request by its method.

        Args:
            what: status or method.
            optional: it may come or not, before the next step that is not optional.
            dialog: of a response: our dialog is the one of its To tag and Contact.
            keep: of a request: the name to answer it by, its method when empty.
            more: attributes of the step, as SIPp writes them.
        """
        flags = (' optional="true"' if optional else "") + (f" {more}" if more else "")
        if isinstance(what, int):
            actions = self._save("to", "To:") if dialog else ""
            flags += ' rrs="true"' if dialog else ""
            self._steps.append(f'<recv response="{what}"{flags}>{self._action(actions)}</recv>')
            return self
        keep = keep or what.lower()
        actions = "".join(
            self._save(f"{keep}_{name}", f"{header}:")
            for name, header in (("via", "Via"), ("from", "From"), ("to", "To"), ("cseq", "CSeq"))
        )
        if what == "INVITE" and not self.calls and keep == "invite":
            flags += ' rrs="true"'
        self._steps.append(f'<recv request="{what}"{flags}>{self._action(actions)}</recv>')
        return self

    def recv_rseq(self, status: int) -> Script:
        """Wait for a reliable provisional response, and remember its dialog and RSeq for `prack`."""
        actions = self._save("to", "To:") + self._save("rseq", "RSeq:", "[0-9]+")
        self._steps.append(f'<recv response="{status}" rrs="true">{self._action(actions)}</recv>')
        return self

    # -- what is sent ------------------------------------------------------------------------------

    def invite(
        self,
        body: str | None = None,
        *,
        headers: Sequence[str] = (),
        caller: str = "",
        wait: bool = True,
    ) -> Script:
        """The first INVITE of a caller; `body` None is an offer of PCMU, an empty text is no offer."""
        return self.request(
            "INVITE",
            cseq=1,
            initial=True,
            label="invite",
            body=sdp() if body is None else body,
            headers=headers,
            caller=caller,
            wait=wait,
        )

    def request(
        self,
        method: str,
        *,
        cseq: int | str,
        body: str = "",
        headers: Sequence[str] = (),
        initial: bool = False,
        label: str = "",
        content_type: str = "application/sdp",
        uri: str = "",
        caller: str = "",
        wait: bool = True,
    ) -> Script:
        """A request, in the dialog unless `initial`; `label` names its branch, `wait` repeats it.

        SIPp sends nothing more of a call while it waits.
        """
        here = caller or "<sip:[caller]@[local_ip]:[local_port]>"
        if not self.calls:
            from_, to = f"[$invite_to];tag={TAG}{self._tag}", "[$invite_from]"
        else:
            from_ = f"{here};tag={TAG}"
            to = "<sip:[service]@[remote_ip]>" if initial else "[$to]"
        target = uri or ("sip:[service]@[remote_ip]:[remote_port]" if initial else "[next_url]")
        branch = f"z9hG4bK[pid]-[call_number]-{label or f'{method}-{cseq}'}"
        lines = [
            f"{method} {target} SIP/2.0",
            f"Via: SIP/2.0/[transport] [local_ip]:[local_port];branch={branch}",
            f"From: {from_}",
            f"To: {to}",
            "Call-ID: [call_id]",
            f"CSeq: {cseq} {method}",
            "Max-Forwards: 70",
            *([] if method in ("CANCEL", "BYE", "ACK", "PRACK") else [CONTACT]),
            *headers,
        ]
        return self._send(lines, body, content_type, retrans=wait and method not in ("ACK",))

    def ack(self, body: str = "", *, cseq: int = 1) -> Script:
        """The ACK to a 2xx."""
        return self.request("ACK", cseq=cseq, body=body, label=f"ack-{cseq}")

    def ack_refusal(self, *, cseq: int = 1) -> Script:
        """The ACK to a refusal of the first INVITE, or as the called side of a later one."""
        if not self.calls:
            return self.request("ACK", cseq=cseq, label=f"INVITE-{cseq}")
        lines = [
            "ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0",
            "Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK[pid]-[call_number]-invite",
            f"From: <sip:[caller]@[local_ip]:[local_port]>;tag={TAG}",
            "[last_To:]",
            "Call-ID: [call_id]",
            f"CSeq: {cseq} ACK",
            "Max-Forwards: 70",
        ]
        return self._send(lines, "", "", retrans=False)

    def cancel(self, *, wait: bool = True) -> Script:
        """A CANCEL of the first INVITE."""
        return self.request("CANCEL", cseq=1, initial=True, label="invite", wait=wait)

    def prack(self, *, cseq: int, rack: str = "[$rseq] 1 INVITE", body: str = "") -> Script:
        """A PRACK of what `recv_rseq` saw."""
        return self.request("PRACK", cseq=cseq, headers=[f"RAck: {rack}"], body=body)

    def answer(
        self,
        status: int,
        reason: str = "OK",
        *,
        to: str = "invite",
        body: str = "",
        headers: Sequence[str] = (),
        tag: str = "",
        wait: bool = False,
        content_type: str = "application/sdp",
    ) -> Script:
        """A response to the request that was kept as `to`; `wait` repeats it until the next message."""
        in_dialog = self.calls or to != "invite"
        mark = "" if in_dialog or status == 100 else f";tag={TAG}{tag}"
        if mark and status >= 200:
            self._tag = tag
        lines = [
            f"SIP/2.0 {status} {reason}",
            f"Via: [${to}_via]",
            f"From: [${to}_from]",
            f"To: [${to}_to]{mark}",
            "Call-ID: [call_id]",
            f"CSeq: [${to}_cseq]",
            *([CONTACT] if not any(line.startswith("Contact:") for line in headers) else []),
            *headers,
        ]
        return self._send(lines, body, content_type, retrans=wait)

    # -- the rest --------------------------------------------------------------------------------

    def pause(self, milliseconds: int | str) -> Script:
        """Let time pass; a text is the attributes of SIPp's pause."""
        how = f'milliseconds="{milliseconds}"' if isinstance(milliseconds, int) else milliseconds
        self._steps.append(f"<pause {how}/>")
        return self

    def play(self, sound: str = "audio", *, kind: str = "audio") -> Script:
        """Play the sound that the run was given, or one of its `keys`, as ``audio``, ``image``, ``video``."""
        self._steps.append(f'<nop><action><exec play_pcap_{kind}="@{sound.upper()}@"/></action></nop>')
        return self

    def bye(self, *, cseq: int = 2) -> Script:
        """Hang up, and wait for the answer."""
        return self.request("BYE", cseq=cseq).recv(200)

    def hung_up(self) -> Script:
        """Wait for the far side's BYE."""
        return self.recv("BYE").answer(200, to="bye")

    def raw(self, xml: str) -> Script:
        """A step as SIPp writes it."""
        self._steps.append(xml)
        return self

    def xml(self) -> str:
        """The scenario."""
        known = ",".join(sorted(self._variables))
        reference = f'<Reference variables="{known}"/>' if known else ""
        steps = "\n".join(self._steps)
        return (
            '<?xml version="1.0" encoding="UTF-8" ?>\n'
            f"<scenario name={quoteattr(self.name)}>\n{steps}\n{reference}\n</scenario>\n"
        )

    def _send(self, lines: list[str], body: str, content_type: str, *, retrans: bool) -> Script:
        if body:
            lines.append(f"Content-Type: {content_type}")
        text = "\n".join([*lines, "Content-Length: [len]", "", body])
        repeat = ' retrans="500"' if retrans else ""
        self._steps.append(f"<send{repeat}><![CDATA[\n{text}\n]]></send>")
        return self

    def _save(self, variable: str, header: str, regexp: str = ".*") -> str:
        self._variables.add(variable)
        return f'<ereg regexp="{regexp}" search_in="hdr" header="{header}" assign_to="{variable}"/>'

    @staticmethod
    def _action(actions: str) -> str:
        return f"<action>{actions}</action>" if actions else ""


def caller(name: str) -> Script:
    """A script of the calling side."""
    return Script(name, calls=True)


def callee(name: str) -> Script:
    """A script of the called side."""
    return Script(name, calls=False)
