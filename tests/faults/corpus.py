"""Inputs that broke other servers (reliability.md §1.3, B09, B10), and what we answer to each.

A shape is a request with one thing wrong, made for a place: in no dialog of a known carrier, in an early
one, in a confirmed one, and from a stranger. Its verdicts are statuses, ``-`` for no answer, and ``closed``
for a stream that is closed, since its next message cannot be found any more (RFC 3261 §18.3); ``- closed``
is half a message that is waited for in vain. 500 in an early dialog is RFC 3261 §14.2: an offer cannot be
looked at there before the first one is answered.
"""

from __future__ import annotations

from typing import NamedTuple

from tests.faults.rogue import DESCRIPTION
from tests.faults.shapes import (
    Make,
    body,
    described,
    length,
    line,
    multipart,
    raw,
    scripted,
    start,
    stun,
    swap,
    tail,
    two,
    value,
    with_body,
    without,
)

SITUATIONS = ["none", "early", "confirmed", "stranger"]


class Shape(NamedTuple):
    """One input: its row, its name, what is said to it in each situation, and the bytes."""

    row: str
    what: str
    said: str
    """For no dialog, an early one, a confirmed one, and a stranger; one verdict stands for all four."""
    make: Make
    on_stream: str = ""
    """The same where messages are cut out of a stream (TCP, TLS); empty for no difference."""

    @property
    def name(self) -> str:
        return f"{self.row} {self.what}"

    def verdict(self, situation: str, transport: str) -> str:
        """What is said to it."""
        said = (self.on_stream if transport in ("tcp", "tls") else "") or self.said
        verdicts = said.split(" / ")
        return verdicts[SITUATIONS.index(situation) if len(verdicts) > 1 else 0]


PART = b"\r\nContent-Type: application/sdp\r\n\r\n" + DESCRIPTION
AUDIO = b"m=audio 40000 RTP/AVP 0"
LAST = b"a=rtpmap:0 PCMU/8000\r\n"

SHAPES = [
    Shape("C01", "CSeq method of 1,200 bytes", "400", value("OPTIONS", b"CSeq", b"9 " + b"A" * 1200)),
    Shape("C01", "the same method twice", "400", swap("X" * 1200, b"Max-Forwards: 70", b"Max-Forwards: 70")),
    Shape(
        "C01", "unknown method of 64 bytes", "501", swap("X" * 64, b"Max-Forwards: 70", b"Max-Forwards: 70")
    ),
    Shape("C01", "CSeq number of 5,000 digits", "400", value("OPTIONS", b"CSeq", b"9" * 5000 + b" OPTIONS")),
    Shape("C01", "CSeq number of 2**31", "400", value("OPTIONS", b"CSeq", b"2147483648 OPTIONS")),
    Shape("C02", "no boundary", "415 / 500 / 415 / 415", multipart(b"", b"--a" + PART + b"--a--")),
    Shape(
        "C02",
        "empty boundary",
        "415 / 500 / 415 / 415",
        multipart(b';boundary=""', b"--" + PART + b"\r\n----"),
    ),
    Shape(
        "C02",
        "boundary of +",
        "200 / 500 / 200 / 401",
        multipart(b';boundary="+"', b"--+" + PART + b"\r\n--+"),
    ),
    Shape(
        "C02",
        "cut at --+",
        "488 / 500 / 488 / 401",
        multipart(b';boundary="+"', b"--+" + PART[:60] + b"\r\n--+"),
    ),
    Shape(
        "C02",
        "boundary of 71 bytes",
        "415 / 500 / 415 / 415",
        multipart(b";boundary=" + b"b" * 71, b"--" + b"b" * 71 + PART),
    ),
    Shape(
        "C02",
        "boundary with a pattern",
        "415 / 500 / 415 / 415",
        multipart(b';boundary="(.*)+"', b"--(.*)+" + PART),
    ),
    Shape(
        "C02",
        "LF alone",
        "200 / 500 / 200 / 401",
        multipart(b";boundary=b", b"--b" + PART.replace(b"\r\n", b"\n") + b"--b--\n"),
    ),
    Shape(
        "C02",
        "Content-ID shorter than its brackets",
        "200 / 500 / 200 / 401",
        multipart(b";boundary=b", b"--b\r\nContent-ID: <" + PART + b"\r\n--b--\r\n"),
    ),
    Shape("C02", "no parts", "415 / 500 / 415 / 415", multipart(b";boundary=b", b"nothing")),
    Shape("C02", "1,000 empty parts", "415 / 500 / 415 / 415", multipart(b";boundary=b", b"--b\r\n" * 1000)),
    Shape(
        "C02",
        "multiparts 200 deep",
        "415 / 500 / 415 / 415",
        multipart(b";boundary=b", b"--b\r\nContent-Type: multipart/mixed;boundary=b\r\n\r\n" * 200),
    ),
    Shape(
        "C02",
        "part with headers without end",
        "415 / 500 / 415 / 415",
        multipart(b";boundary=b", b"--b\r\n" + b"X: y\r\n" * 5000),
    ),
    Shape(
        "C03", "50 Accept headers", "406 / 500 / 200 / 406", with_body(line("INVITE", *[b"Accept: a/b"] * 50))
    ),
    Shape(
        "C03",
        "600 values of Accept",
        "200 / 200 / 200 / 401",
        line("OPTIONS", b"Accept: " + b"a/b, " * 600),
    ),
    Shape("C03", "header name of 1,000 bytes", "400", line("OPTIONS", b"X" * 1000 + b": y")),
    Shape("C03", "port of 13 digits in the Request-URI", "400", start("OPTIONS", b"sip:h:0000000005060")),
    Shape(
        "C03",
        "port of 5,000 digits in the Via",
        "400",
        swap("OPTIONS", b";rport", b"5" * 5000 + b";rport"),
    ),
    Shape(
        "C03",
        "port of 100 digits in an alias",
        "200 / 200 / 200 / 401",
        value("OPTIONS", b"Contact", b"<sip:h:5060;alias=1~" + b"9" * 100 + b"~2>"),
    ),
    Shape(
        "C03",
        "port of 100 digits in a Contact",
        "400",
        value("OPTIONS", b"Contact", b"<sip:h:" + b"9" * 100 + b">"),
    ),
    Shape(
        "C03",
        "rport of 100 digits",
        "200 / 200 / 200 / 401",
        swap("OPTIONS", b";rport", b";rport=" + b"9" * 100),
    ),
    Shape("C04", "NUL in fmtp", "400 / 500 / 400 / 401", described(LAST, b"a=fmtp\0:101 0-16\r\n")),
    Shape(
        "C04",
        "payload type of 2**32, no t=, no last CRLF",
        "400 / 500 / 400 / 401",
        described(b"t=0 0\r\n" + AUDIO + b"\r\n" + LAST, b"m=audio 17000 RTP/AVP 4294967296"),
    ),
    Shape("C04", "port of 5,000 digits", "400 / 500 / 400 / 401", described(b"40000", b"4" * 5000)),
    Shape(
        "C04",
        "payload types of 5,000 digits",
        "400 / 500 / 400 / 401",
        described(b"AVP 0", b"AVP " + b"0" * 5000),
    ),
    Shape(
        "C04", "rtpmap with a rate of 5,000 digits", "200 / 500 / 200 / 401", described(b"8000", b"8" * 5000)
    ),
    Shape("C06", "From tag of 300 bytes", "401 / 481 / 481 / 401", tail("REGISTER", b"From", b"f" * 300)),
    Shape("C06", "branch of 300 bytes", "401 / 405 / 405 / 401", tail("REGISTER", b"Via", b"b" * 300)),
    Shape(
        "C06", "Call-ID of 7,000 bytes", "200 / 481 / 481 / 401", value("OPTIONS", b"Call-ID", b"c" * 7000)
    ),
    Shape("C06", "To tag of 5,000 bytes", "481", value("OPTIONS", b"To", b"<sip:a@b>;tag=" + b"t" * 5000)),
    Shape("C07", "space before the colon", "200 / 200 / 200 / 401", line("OPTIONS", b"X-Internal : yes")),
    Shape("C07", "control byte in a name", "400", swap("OPTIONS", b"To:", b"To\x01:")),
    Shape("C07", "control byte before a name", "400", swap("OPTIONS", b"To:", b"\x01To:")),
    Shape("C07", "VT for white space in a name", "400", line("OPTIONS", b"Content-Length\x0b: 5")),
    Shape(
        "C07",
        "NBSP for white space in a name",
        "400",
        line("OPTIONS", b"Route\xa0: <sip:evil.example.net;lr>"),
    ),
    Shape(
        "C07", "NUL in a name", "400", line("OPTIONS", b"P-Asserted-Identity\0: <sip:110@pbx.example.com>")
    ),
    Shape("C07", "NUL in a value", "400", value("OPTIONS", b"From", b"<sip:a\0@b>;tag=1")),
    Shape("C07", "two From", "400", line("OPTIONS", b"From: <sip:a@b>;tag=1")),
    Shape("C07", "two Call-ID", "400", line("OPTIONS", b"i: other")),
    Shape("C07", "two CSeq", "400", line("OPTIONS", b"CSEQ: 1 OPTIONS")),
    Shape("C07", "folded From", "200 / 200 / 200 / 401", swap("OPTIONS", b"From: ", b"From:\r\n \t\r\n ")),
    Shape(
        "C07",
        "CR alone in a value",
        "400",
        line("OPTIONS", b"Subject: a\rRoute: <sip:evil.example.net>"),
        "400 closed",
    ),
    Shape(
        "C07",
        "LF alone in a value",
        "400",
        line("OPTIONS", b"Subject: a\nRoute: <sip:evil.example.net>"),
        "400 closed",
    ),
    Shape("C07", "FF between header lines", "400", swap("OPTIONS", b"\r\nTo:", b"\x0c\r\nTo:")),
    Shape(
        "C09",
        "MESSAGE with a command",
        "404 / 405 / 405 / 401",
        body("MESSAGE", b"application/x-command", b"originate 00 &sh"),
    ),
    Shape(
        "C09", "SUBSCRIBE to anything", "403 / 405 / 405 / 401", line("SUBSCRIBE", b"Event: " + b"a" * 3000)
    ),
    Shape("C09", "SUBSCRIBE without Event", "403 / 405 / 405 / 401", line("SUBSCRIBE", b"X: y")),
    Shape("C16", "line of one character", "400 / 500 / 400 / 401", described(b"s=-", b"s=-\r\nx")),
    Shape("C16", "no last LF", "200 / 500 / 200 / 401", described(LAST, LAST[:-2])),
    Shape("C16", "b= without a colon", "400 / 500 / 400 / 401", described(b"t=0 0", b"b=AS128\r\nt=0 0")),
    Shape("C16", "empty description", "400 / 500 / 400 / 401", described(DESCRIPTION, b"\r\n")),
    Shape("C16", "only v=0", "400 / 500 / 400 / 401", described(DESCRIPTION, b"v=0")),
    Shape("C17", "a Via that is noise", "400", value("OPTIONS", b"Via", b"SIP/2.0/\x16UD~PTo :::]")),
    Shape("C17", "two tags", "400", tail("OPTIONS", b"From", b";tag=other")),
    Shape("C17", "LF alone", "-", lambda place: place.request("OPTIONS").replace(b"\r\n", b"\n"), "- closed"),
    Shape("C17", "Request-URI with an open bracket", "400", start("OPTIONS", b"sip:[::1:5060")),
    Shape("C17", "Request-URI with port 0", "400", start("OPTIONS", b"sip:a@h:0")),
    Shape("C17", "Request-URI with port 65536", "400", start("OPTIONS", b"sip:a@h:65536")),
    Shape("C17", "Request-URI without a host", "400", start("OPTIONS", b"sip:a@")),
    Shape(
        "C17",
        "Request-URI with headers",
        "400",
        with_body(start("INVITE", b"sip:4008000001@h?Route=%3Csip:evil%3E")),
    ),
    Shape(
        "C17",
        "Request-URI of an unknown scheme",
        "416 / 500 / 200 / 416",
        with_body(start("INVITE", b"javascript:alert(1)")),
    ),
    Shape(
        "C17",
        "Request-URI of 8,000 bytes",
        "200 / 200 / 200 / 401",
        start("OPTIONS", b"sip:" + b"a" * 7990 + b"@h"),
    ),
    Shape(
        "C17",
        "Via to a broadcast",
        "200 / 200 / 200 / 401",
        value("OPTIONS", b"Via", b"SIP/2.0/UDP 255.255.255.255;branch=z9hG4bKall"),
    ),
    Shape(
        "C17",
        "maddr in the Via",
        "200 / 200 / 200 / 401",
        swap("OPTIONS", b";rport", b";maddr=224.0.1.75;ttl=255;rport"),
    ),
    Shape("C18", "Content-Length 2**32+32", "400", length(b"4294967328"), "513 closed"),
    Shape("C18", "Content-Length -1", "400", length(b"-1"), "400 closed"),
    Shape(
        "C19",
        "Content-Length 999999999 and no body",
        "400",
        swap("MESSAGE", b"Length: 0", b"Length: 999999999"),
        "513 closed",
    ),
    Shape("C21", "nested JSON", "-", raw(b"[" * 60000), "closed"),
    Shape(
        "C21",
        "nested JSON as the body of INFO",
        "481 / 200 / 200 / 481",
        body("INFO", b"application/json", b"[" * 60000),
    ),
    Shape(
        "C21",
        "an HTTP POST",
        "-",
        raw(b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{}"),
        "- closed",
    ),
    Shape("C22", "STUN with an attribute of 65,535", "-", stun(1, b"\x80\x22\xff\xff"), "- closed"),
    Shape("C22", "STUN with a lying length", "-", stun(1, b"", size=0xFFFC), "- closed"),
    Shape(
        "C22", "STUN error code of 2 bytes", "-", stun(0x111, b"\x00\x09\x00\x02\x00\x00\x00\x00"), "- closed"
    ),
    Shape("C22", "STUN user name of 600 bytes", "-", stun(1, b"\x00\x06\x02\x58" + b"u" * 600), "- closed"),
    Shape("C24", "the same codec twice", "200 / 500 / 200 / 401", described(AUDIO, AUDIO + b" 0 0 0")),
    Shape(
        "C24",
        "ICE candidate of an unknown component",
        "200 / 500 / 200 / 401",
        described(LAST, LAST + b"a=candidate:1 4096 udp 1 192.0.2.1 9 typ host\r\na=candidate:\r\n"),
    ),
    Shape(
        "C24",
        "500 media lines",
        "488 / 500 / 488 / 401",
        described(AUDIO, b"m=audio 0 RTP/AVP 0\r\n" * 500 + AUDIO),
    ),
    Shape(
        "C25",
        "400 a=crypto",
        "200 / 500 / 200 / 401",
        described(LAST, LAST + b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:AAAA\r\n" * 400),
    ),
    Shape(
        "C25",
        "a=crypto of 20,000 bytes",
        "200 / 500 / 200 / 401",
        described(LAST, LAST + b"a=crypto:1 A inline:" + b"A" * 20000 + b"\r\n"),
    ),
    Shape(
        "C25",
        "user name of 3,000 bytes",
        "401 / 405 / 405 / 401",
        line("REGISTER", b'Authorization: Digest username="' + b"u" * 3000 + b'"'),
    ),
    Shape(
        "C25",
        "nonce of 8,000 bytes",
        "401 / 405 / 405 / 401",
        line("REGISTER", b'Authorization: Digest username="1001", nonce="' + b"n" * 7900 + b'"'),
    ),
    Shape(
        "C26",
        "Authorization of another scheme",
        "401 / 405 / 405 / 401",
        line("REGISTER", b"Authorization: Basic MTAwMTp4"),
    ),
    Shape(
        "C26",
        "Authorization without parameters",
        "401 / 405 / 405 / 401",
        line("REGISTER", b"Authorization: Digest"),
    ),
    Shape("C26", "empty Authorization", "401 / 405 / 405 / 401", line("REGISTER", b"Authorization:")),
    Shape(
        "C26",
        "Authorization with an open quote",
        "401 / 405 / 405 / 401",
        line("REGISTER", b'Authorization: Digest username="1001'),
    ),
    Shape(
        "C26",
        "Authorization with one parameter twice",
        "401 / 405 / 405 / 401",
        line("REGISTER", b'Authorization: Digest username="1001", username="1002"'),
    ),
    Shape(
        "C26",
        "Authorization of 3,000 commas",
        "401 / 405 / 405 / 401",
        line("REGISTER", b"Authorization: Digest " + b"," * 3000),
    ),
    Shape(
        "C26",
        "Authorization of 800 parameters",
        "401 / 405 / 405 / 401",
        line("REGISTER", b"Authorization: Digest " + b"x=y," * 800),
    ),
    Shape(
        "C26",
        "Authorization that is no text",
        "401 / 405 / 405 / 401",
        line("REGISTER", b"Authorization: Digest username=\xff\xfe\x00, nc=\xd9\xa1"),
    ),
    Shape(
        "C27",
        "PUBLISH without Content-Type",
        "405",
        swap("PUBLISH", b"Content-Length: 0\r\n\r\n", b"Content-Length: 1\r\n\r\na"),
    ),
    Shape(
        "C27",
        "NOTIFY with a Message-Account of 8,000 bytes",
        "481",
        body(
            "NOTIFY",
            b"application/simple-message-summary",
            b"Messages-Waiting: yes\r\nMessage-Account: sip:" + b"a" * 8000 + b"\r\n",
        ),
    ),
    Shape("C29", "caller text of four-byte characters and of markup", "200 / 500 / 200 / 401", scripted),
    Shape(
        "C30",
        "script in User-Agent",
        "200 / 200 / 200 / 401",
        line("OPTIONS", b"User-Agent: <script>alert(1)</script>' OR 1=1 --"),
    ),
    Shape("B09", "a header of 64 KiB", "513", line("OPTIONS", b"X: " + b"x" * 64000), "513 closed"),
    Shape("B09", "10,000 headers", "513", line("OPTIONS", *[b"X: y"] * 9900), "513 closed"),
    Shape(
        "B09",
        "260 Via in two lines",
        "513",
        line("OPTIONS", *[b"Via: " + b"SIP/2.0/UDP h," * 130 + b"SIP/2.0/UDP h"] * 2),
    ),
    Shape(
        "B09",
        "5,000 Via in a line",
        "513",
        line("OPTIONS", b"v: " + b"SIP/2.0/UDP h," * 4500 + b"SIP/2.0/UDP h"),
        "513 closed",
    ),
    Shape("B09", "260 Route", "513", line("OPTIONS", *[b"Route: " + b"<sip:h;lr>," * 130 + b"<sip:h>"] * 2)),
    Shape(
        "B09", "260 Contact", "513", line("REGISTER", *[b"Contact: " + b"<sip:h>," * 130 + b"<sip:h>"] * 2)
    ),
    Shape(
        "B09",
        "600 parameters",
        "200 / 200 / 200 / 401",
        tail("OPTIONS", b"Contact", b"".join(b";a%d" % i for i in range(600))),
    ),
    Shape("B09", "1,700 option tags in Require", "420", line("OPTIONS", b"Require: " + b"a," * 1700 + b"a")),
    Shape("B10", "Content-Length +5", "400", length(b"+%d"), "400 closed"),
    Shape("B10", "Content-Length 1_0", "400", length(b"1_0"), "400 closed"),
    Shape("B10", "Content-Length of Arabic digits", "400", length("٥".encode()), "400 closed"),
    Shape("B10", "Content-Length 2**31", "400", length(b"2147483648"), "513 closed"),
    Shape("B10", "Content-Length of 5,000 digits", "400", length(b"5" * 5000), "400 closed"),
    Shape("B10", "Content-Length 0x5", "400", length(b"0x5"), "400 closed"),
    Shape("B10", "Content-Length 5.0", "400", length(b"%d.0"), "400 closed"),
    Shape("B10", "Content-Length 5, 5", "400", length(b"%d, %d"), "400 closed"),
    Shape("B10", "empty Content-Length", "400", length(b""), "400 closed"),
    Shape("B10", "Content-Length twice, with other values", "400", length(b"%d\r\nl: 0"), "400 closed"),
    Shape(
        "B10",
        "Content-Length twice, with one value",
        "400",
        length(b"%d\r\nContent-Length: %d"),
        "400 closed",
    ),
    Shape(
        "B10",
        "no Content-Length",
        "404 / 405 / 405 / 401",
        without("MESSAGE", b"Content-Length"),
        "400 closed",
    ),
    Shape("B10", "Content-Length too long", "400", length(b"%d", more=1), "- closed"),
    Shape(
        "B10",
        "Content-Length too short, another request behind",
        "200 / 200 / 200 / 401",
        two,
        "200 200 / 200 200 / 200 200 / 401 401",
    ),
    Shape("B10", "a request in a body of the right length", "400 / 405 / 405 / 401", length(b"%d")),
    Shape("B10", "a chunked body", "200 / 200 / 200 / 401", line("OPTIONS", b"Transfer-Encoding: chunked")),
]
