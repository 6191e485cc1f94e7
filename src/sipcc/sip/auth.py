"""Digest authentication for both sides (RFC 7616, RFC 8760, RFC 3261 §22).

The server keeps nothing for a stranger: a nonce is a time and a keyed hash over it, the realm and the
source, so a challenge costs no memory and a nonce is of no use elsewhere. Only nonces that were used with
the right password are remembered, with a window of 64 nonce counts each, so that a captured header cannot
be used twice. An unknown user costs the same work, and gets the same answer, as a wrong password.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from itertools import islice

import msgspec

from sipcc.errors import ParseError, RemoteProtocolError
from sipcc.sip.grammar import quote, unquote
from sipcc.sip.headers import Headers
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.uri import SipUri

ALGORITHMS = {
    "SHA-512-256": partial(hashlib.new, "sha512_256", usedforsecurity=False),
    "SHA-256": partial(hashlib.sha256, usedforsecurity=False),
    "MD5": partial(hashlib.md5, usedforsecurity=False),
}
"""Digest algorithms, strongest first, and what makes their hashes."""

MAX_VALUE = 4096
"""Characters of one (Proxy-)Authorization or challenge; a longer one is malformed (CVE-2026-40892)."""
MAX_VALUES = 8
"""Such headers of one request that are looked at."""

Ha1 = Callable[[str, str, str], str | None]
"""(user, realm, algorithm) -> H(user:realm:password) in hex, or None for an unknown user."""

_NONCE = re.compile(r"[A-Za-z0-9_-]{20}")
_PARAM = re.compile(
    r"[ \t,]*+([A-Za-z0-9\-.!%*_+`'~]++)[ \t]*+=[ \t]*+"
    r'(?:"((?:[^"\\]|\\.)*+)"|([^", \t]*+))[ \t]*+(?:,|\Z)',
    re.DOTALL,
)
_HEX8 = re.compile(r"[0-9A-Fa-f]{8}")
_WINDOW = 64
_MASK = 2**48 - 1


class Credentials(msgspec.Struct, frozen=True):
    """A user name and password; with `realm` set they are never used for another one."""

    username: str
    password: str
    realm: str | None = None

    def __repr__(self) -> str:
        return f"Credentials({self.username!r})"


class Verified(msgspec.Struct, frozen=True):
    """The request comes from `user`."""

    user: str


class Rejected(msgspec.Struct, frozen=True):
    """The request proves nothing; challenge it.

    `reason` is ``missing``, ``malformed``, ``stale``, ``replayed``, ``wrong``, ``unknown`` (a user that
    there is not) or ``exhausted`` (the password was not looked at). Only ``wrong`` and ``unknown`` speak of
    somebody who guesses, and nobody outside may learn which of the two it was. `stale` is true when the
    password was right and only the nonce has to be new. `user` is the name that was given.
    """

    stale: bool
    reason: str
    user: str = ""


class Challenge(msgspec.Struct, frozen=True):
    """One Digest challenge as a server sent it."""

    realm: str
    nonce: str
    algorithm: str
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False


def digest(algorithm: str, value: str) -> str:
    """H(value) in hex; `algorithm` is one of `ALGORITHMS`."""
    return ALGORITHMS[algorithm](value.encode("utf-8", "surrogateescape")).hexdigest()


def make_ha1(user: str, realm: str, password: str, algorithm: str) -> str:
    """H(user:realm:password) in hex."""
    return digest(algorithm, f"{user}:{realm}:{password}")


def parse_auth(value: str) -> tuple[str, dict[str, str]]:
    """Read ``Scheme name=value, name="value"`` into the scheme in lower case and unquoted parameters.

    Raises:
        ParseError: not of that form, a parameter twice, or longer than `MAX_VALUE`.
    """
    if len(value) > MAX_VALUE:
        raise ParseError("too long", layer="header:Authorization")
    scheme, _, rest = value.strip(" \t").partition(" ")
    rest = rest.rstrip(" \t,")
    params: dict[str, str] = {}
    at, end = 0, len(rest)
    while at < end:
        found = _PARAM.match(rest, at)
        if found is None:
            raise ParseError(f"not a parameter: {rest[at : at + 40]!r}", layer="header:Authorization")
        name, quoted, plain = found.groups()
        key = name.lower()
        if key in params:
            raise ParseError(f"{key} twice", layer="header:Authorization")
        if plain is None:
            plain = unquote(f'"{quoted}"') if "\\" in quoted else quoted
        params[key] = plain
        at = found.end()
    return scheme.lower(), params


def _algorithm(params: dict[str, str]) -> str:
    """The algorithm in upper case; one that is not ASCII is none, though its upper case may be."""
    value = params.get("algorithm", "MD5")
    return value.upper() if value.isascii() else value


def _response(params: dict[str, str], algorithm: str, ha1: str, method: str, body: bytes = b"") -> str:
    """The request-digest of RFC 7616 §3.4.1 from the parameters of an Authorization."""
    qop = params.get("qop")
    a2 = f"{method}:{params.get('uri', '')}"
    if qop == "auth-int":
        a2 += ":" + ALGORITHMS[algorithm](body).hexdigest()
    ha2 = digest(algorithm, a2)
    nonce = params.get("nonce", "")
    if qop is None:
        return digest(algorithm, f"{ha1}:{nonce}:{ha2}")
    return digest(algorithm, f"{ha1}:{nonce}:{params.get('nc', '')}:{params.get('cnonce', '')}:{qop}:{ha2}")


_HINT = 'opaque="algorithm=MD5"'
"""Lets SIPp before 3.7 register although the strongest algorithm comes first (RFC 8760 §2.4).

It reads only the first challenge, looks for the text ``algorithm=`` anywhere in it, and gives up on
SHA-256. Opaque is ours to fill; the nonce is the same for each algorithm, so its MD5 answer is a good one.
"""


class DigestServer:
    """Challenges and checks, for one realm.

    `secret` is at least 16 random bytes; with another secret, as after a restart, an honest client gets
    ``stale=true`` and goes on without a question to its user.
    """

    def __init__(
        self,
        realm: str,
        secret: bytes,
        nonce_life: float = 60.0,
        *,
        algorithms: tuple[str, ...] = ("SHA-256", "MD5"),
        remembered: int = 65_536,
    ) -> None:
        self.realm = realm
        self.algorithms = algorithms
        self._key = hashlib.sha256(secret).digest()
        self._life = nonce_life
        self._remembered = remembered
        self._tail = "\n" + realm
        self._used: OrderedDict[int, int] = OrderedDict()
        self._forgotten = -1
        self._last_issued = 0
        self._dummy = {name: digest(name, self._key.hex()) for name in algorithms}

    def challenge(self, *, source: str, now: float, stale: bool = False) -> list[str]:
        """Values for WWW-Authenticate (or Proxy-Authenticate), the strongest algorithm first.

        `source` is whatever identifies the peer, usually its IP address; the nonce is good for it only.
        """
        # microseconds that never repeat: two phones behind one NAT must not share a nonce and its count
        self._last_issued = max(self._last_issued + 1, int(now * 1_000_000))
        nonce = self._nonce(self._last_issued & _MASK, source)
        tail = ', qop="auth"' + (", stale=true" if stale else "")
        hint = f"{_HINT}, " if "MD5" in self.algorithms else ""
        realm = quote(self.realm)
        return [
            f'Digest realm={realm}, nonce="{nonce}", {hint}algorithm={name}{tail}' for name in self.algorithms
        ]

    def _nonce(self, issued: int, source: str) -> str:
        """20 characters: 6 bytes of time in microseconds, 9 bytes of a keyed hash of it and of `source`."""
        stamp = issued.to_bytes(6, "big")
        message = stamp + (source + self._tail).encode("utf-8", "surrogateescape")
        mac = hashlib.blake2s(message, key=self._key, digest_size=9).digest()
        return base64.urlsafe_b64encode(stamp + mac).decode("ascii")

    def stateless_tag(self, request: Request) -> str:
        """A To tag that is the same for each retransmission of `request` (RFC 3261 §8.2.7)."""
        key = b"\n".join(transaction_key(request)) + request.headers.first().get("Call-ID", b"")
        return hashlib.blake2s(b"tag\n" + key, key=self._key, digest_size=5).hexdigest()

    def verify(
        self,
        method: str,
        header_values: Iterable[str],
        ha1: Ha1,
        *,
        source: str,
        now: float,
        uri: SipUri | None = None,
        may_try: Callable[[str], bool] | None = None,
    ) -> Verified | Rejected:
        """Check the Authorization (or Proxy-Authorization) values of a request; never raises.

        `uri` is the Request-URI; a digest for another user of ours is then refused. Values of other
        realms and other schemes are passed over. When `may_try` is false for the user name, the password
        is not looked at.
        """
        verdict = Rejected(False, "missing")
        for value in islice(header_values, MAX_VALUES):
            try:
                scheme, params = parse_auth(value)
            except ParseError:
                verdict = Rejected(False, "malformed")
                continue
            if scheme != "digest" or params.get("realm") != self.realm or not params.get("nonce"):
                continue
            if may_try is not None and not may_try(params.get("username", "")):
                return Rejected(False, "exhausted", params.get("username", ""))
            return self._check(method, params, ha1, source, now, uri)
        return verdict

    def _check(
        self, method: str, params: dict[str, str], ha1: Ha1, source: str, now: float, uri: SipUri | None
    ) -> Verified | Rejected:
        algorithm = _algorithm(params)
        qop = params.get("qop")
        if (
            algorithm not in self.algorithms
            or qop not in {None, "auth"}
            or (qop and not (_HEX8.fullmatch(params.get("nc", "")) and params.get("cnonce")))
        ):
            return Rejected(False, "malformed")
        user = params.get("username", "")
        known = ha1(user, self.realm, algorithm)
        wanted = _response(params, algorithm, known or self._dummy[algorithm], method)
        # compared as bytes: compare_digest refuses text that is not ASCII
        given = params.get("response", "").lower().encode("utf-8", "surrogateescape")
        right = hmac.compare_digest(wanted.encode("ascii"), given)
        if not right or known is None or not _same_user(params.get("uri", ""), uri):
            return Rejected(False, "unknown" if known is None else "wrong", user)
        return self._check_nonce(params, user, source, now)

    def _check_nonce(self, params: dict[str, str], user: str, source: str, now: float) -> Verified | Rejected:
        nonce = params["nonce"]
        issued = self._issued(nonce, source)
        if issued is None:
            return Rejected(True, "stale", user)
        age = now - issued / 1_000_000
        if not -1 <= age <= self._life or (issued not in self._used and issued <= self._forgotten):
            return Rejected(True, "stale", user)
        # without qop there is no count, so such a nonce is good for one request
        count = int(params["nc"], 16) if params.get("qop") else 2**32
        if not self._count(issued, count, now):
            return Rejected(True, "replayed", user)
        return Verified(user)

    def _issued(self, nonce: str, source: str) -> int | None:
        """When a nonce of ours for `source` was issued, in microseconds; None for any other."""
        if _NONCE.fullmatch(nonce) is None:
            return None
        issued = int.from_bytes(base64.urlsafe_b64decode(nonce)[:6], "big")
        mine = self._nonce(issued, source)
        return issued if hmac.compare_digest(mine, nonce) else None

    def _count(self, issued: int, count: int, now: float) -> bool:
        """Note `count` for a nonce; False when it was seen, or is older than the window."""
        highest, seen = divmod(self._used.get(issued, 0), 2**_WINDOW)
        if count > highest:
            seen = ((seen << min(count - highest, _WINDOW)) | 1) & (2**_WINDOW - 1)
            highest = count
        else:
            bit = 1 << (highest - count)
            if highest - count >= _WINDOW or seen & bit or count == 0:
                return False
            seen |= bit
        if issued not in self._used:
            self._forget(now)
        self._used[issued] = highest << _WINDOW | seen
        return True

    def _forget(self, now: float) -> None:
        """Drop nonces that are too old anyway; when still full, the oldest, and all nonces of its time."""
        used = self._used
        while used:
            oldest = next(iter(used))
            if now - oldest / 1_000_000 <= self._life and len(used) < self._remembered:
                return
            del used[oldest]
            self._forgotten = max(self._forgotten, oldest)


def _same_user(digest_uri: str, uri: SipUri | None) -> bool:
    if uri is None:
        return True
    try:
        return SipUri.parse(digest_uri).user == uri.user
    except ParseError:
        return False


def challenges(response: Response) -> list[Challenge]:
    """The Digest challenges of a 401 or 407 that can be answered, the strongest algorithm first.

    What cannot be read, and schemes and algorithms that we do not know, are passed over.
    """
    name = "Proxy-Authenticate" if response.status == 407 else "WWW-Authenticate"
    found = []
    for value in response.headers.get_all(name):
        try:
            scheme, params = parse_auth(value)
        except ParseError:
            continue
        algorithm = _algorithm(params)
        words = (word.strip(" \t").lower() for word in params.get("qop", "").split(","))
        qop = tuple(word for word in words if word)
        usable = not qop or "auth" in qop or "auth-int" in qop
        if scheme == "digest" and algorithm in ALGORITHMS and params.get("nonce") and usable:
            found.append(
                Challenge(
                    params.get("realm", ""),
                    params["nonce"],
                    algorithm,
                    qop,
                    params.get("opaque"),
                    params.get("stale", "").lower() == "true",
                )
            )
    order = list(ALGORITHMS)
    return sorted(found, key=lambda challenge: order.index(challenge.algorithm))


def answer_challenge(
    response: Response,
    request: Request,
    credentials: Credentials,
    *,
    nonce_count: int = 1,
    cnonce: str,
) -> tuple[str, str]:
    """The header (name, value) that answers a 401 or 407 to `request`.

    `cnonce` comes from `Ids.tag`; `nonce_count` grows with each use of one nonce.

    Raises:
        RemoteProtocolError: no challenge is of our realm and of an algorithm that we know.
    """
    for challenge in challenges(response):
        if credentials.realm is None or credentials.realm == challenge.realm:
            name = "Proxy-Authorization" if response.status == 407 else "Authorization"
            return name, authorization(challenge, request, credentials, nonce_count, cnonce)
    raise RemoteProtocolError("no challenge that we can answer", status_hint=response.status)


def put_credentials(headers: Headers, name: str, value: str) -> None:
    """Put the header that `answer_challenge` made on a request.

    It takes the place of one for the same realm; those for other realms stay, as each proxy on the way
    looks for its own (RFC 3261 §22.3).

    Raises:
        ParseError: one of them cannot be read.
    """
    realm = parse_auth(value)[1].get("realm")
    others = [held for held in headers.get_all(name) if parse_auth(held)[1].get("realm") != realm]
    headers.remove(name)
    for held in (*others, value):
        headers.add(name, held)


def authorization(
    challenge: Challenge, request: Request, credentials: Credentials, nonce_count: int, cnonce: str
) -> str:
    """The value of (Proxy-)Authorization for `request`, also for a challenge of an earlier response."""
    algorithm = challenge.algorithm
    params = {"uri": str(request.uri), "nonce": challenge.nonce}
    if challenge.qop:
        params["qop"] = "auth" if "auth" in challenge.qop else "auth-int"
        params["nc"] = f"{nonce_count:08x}"
        params["cnonce"] = cnonce
    ha1 = make_ha1(credentials.username, challenge.realm, credentials.password, algorithm)
    proof = _response(params, algorithm, ha1, request.method, request.body)
    parts = [
        f"username={quote(credentials.username)}",
        f"realm={quote(challenge.realm)}",
        f"nonce={quote(challenge.nonce)}",
        f'uri="{params["uri"]}"',
        f'response="{proof}"',
        f"algorithm={algorithm}",
    ]
    if challenge.qop:
        parts += [f"qop={params['qop']}", f"nc={params['nc']}", f"cnonce={quote(cnonce)}"]
    if challenge.opaque is not None:
        parts.append(f"opaque={quote(challenge.opaque)}")
    return "Digest " + ", ".join(parts)
