"""Digest authentication for both sides (RFC 7616, RFC 8760, RFC 3261 §22).

The server keeps nothing for a stranger: a nonce is a time and an HMAC over it, the realm and the source,
so a challenge costs no memory and a nonce is of no use elsewhere. Only nonces that were used with the
right password are remembered, with a window of 64 nonce counts each, so that a captured header cannot be
used twice. An unknown user costs the same work, and gets the same answer, as a wrong password.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable

import msgspec

from sipcc.errors import ParseError, RemoteProtocolError
from sipcc.sip.grammar import is_token, quote, split, text, unquote
from sipcc.sip.message import Request, Response, transaction_key
from sipcc.sip.uri import SipUri

ALGORITHMS = {"SHA-512-256": "sha512_256", "SHA-256": "sha256", "MD5": "md5"}
"""Digest algorithms, strongest first, and their names in `hashlib`."""

Ha1 = Callable[[str, str, str], str | None]
"""(user, realm, algorithm) -> H(user:realm:password) in hex, or None for an unknown user."""

_NONCE = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{32})")
_HEX8 = re.compile(r"[0-9A-Fa-f]{8}")
_WINDOW = 64


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

    `reason` is ``missing``, ``malformed``, ``stale``, ``replayed`` or ``wrong``; only ``wrong`` speaks of
    somebody who guesses. `stale` is true when the password was right and only the nonce has to be new.
    """

    stale: bool
    reason: str


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
    return hashlib.new(
        ALGORITHMS[algorithm], value.encode("utf-8", "surrogateescape"), usedforsecurity=False
    ).hexdigest()


def make_ha1(user: str, realm: str, password: str, algorithm: str) -> str:
    """H(user:realm:password) in hex."""
    return digest(algorithm, f"{user}:{realm}:{password}")


def parse_auth(value: str) -> tuple[str, dict[str, str]]:
    """Read ``Scheme name=value, name="value"`` into the scheme in lower case and unquoted parameters.

    Raises:
        ParseError: not of that form, or a parameter twice.
    """
    scheme, _, rest = value.strip(" \t").partition(" ")
    params: dict[str, str] = {}
    for piece in split(rest.encode("utf-8", "surrogateescape"), b",", "header:Authorization"):
        if not piece:
            continue
        name, equals, content = piece.partition(b"=")
        name = name.strip(b" \t").lower()
        if not equals or not is_token(name):
            raise ParseError(f"not a parameter: {piece[:40]!r}", layer="header:Authorization")
        key = text(name)
        if key in params:
            raise ParseError(f"{key} twice", layer="header:Authorization")
        params[key] = unquote(text(content.strip(b" \t")))
    return scheme.lower(), params


def _response(params: dict[str, str], algorithm: str, ha1: str, method: str, body: bytes = b"") -> str:
    """The request-digest of RFC 7616 §3.4.1 from the parameters of an Authorization."""
    qop = params.get("qop")
    a2 = f"{method}:{params.get('uri', '')}"
    if qop == "auth-int":
        a2 += ":" + hashlib.new(ALGORITHMS[algorithm], body, usedforsecurity=False).hexdigest()
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
        remembered: int = 10_000,
    ) -> None:
        self.realm = realm
        self.algorithms = algorithms
        self._secret = secret
        self._life = nonce_life
        self._remembered = remembered
        self._used: OrderedDict[str, tuple[int, int]] = OrderedDict()
        self._forgotten = -1
        self._last_issued = 0
        self._dummy = {name: digest(name, secret.hex()) for name in algorithms}

    def challenge(self, *, source: str, now: float, stale: bool = False) -> list[str]:
        """Values for WWW-Authenticate (or Proxy-Authenticate), the strongest algorithm first.

        `source` is whatever identifies the peer, usually its IP address; the nonce is good for it only.
        """
        # microseconds that never repeat: two phones behind one NAT must not share a nonce and its count
        self._last_issued = max(self._last_issued + 1, int(now * 1_000_000))
        issued = f"{self._last_issued:x}"
        nonce = f"{issued}-{self._mac(issued, source)}"
        tail = ', qop="auth"' + (", stale=true" if stale else "")
        hint = f"{_HINT}, " if "MD5" in self.algorithms else ""
        return [
            f'Digest realm={quote(self.realm)}, nonce="{nonce}", {hint}algorithm={name}{tail}'
            for name in self.algorithms
        ]

    def _mac(self, issued: str, source: str) -> str:
        message = f"{issued}\n{source}\n{self.realm}".encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, message, "sha256").hexdigest()[:32]

    def stateless_tag(self, request: Request) -> str:
        """A To tag that is the same for each retransmission of `request` (RFC 3261 §8.2.7)."""
        key = b"\n".join(transaction_key(request)) + request.headers.first().get("Call-ID", b"")
        return hmac.new(self._secret, b"tag\n" + key, "sha256").hexdigest()[:16]

    def verify(
        self,
        method: str,
        header_values: Iterable[str],
        ha1: Ha1,
        *,
        source: str,
        now: float,
        uri: SipUri | None = None,
    ) -> Verified | Rejected:
        """Check the Authorization (or Proxy-Authorization) values of a request; never raises.

        `uri` is the Request-URI; a digest for another user of ours is then refused. Values of other
        realms and other schemes are passed over.
        """
        verdict = Rejected(False, "missing")
        for value in header_values:
            try:
                scheme, params = parse_auth(value)
            except ParseError:
                verdict = Rejected(False, "malformed")
                continue
            if scheme != "digest" or params.get("realm") != self.realm or not params.get("nonce"):
                continue
            return self._check(method, params, ha1, source, now, uri)
        return verdict

    def _check(
        self, method: str, params: dict[str, str], ha1: Ha1, source: str, now: float, uri: SipUri | None
    ) -> Verified | Rejected:
        algorithm = params.get("algorithm", "MD5").upper()
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
            return Rejected(False, "wrong")
        return self._check_nonce(params, user, source, now)

    def _check_nonce(self, params: dict[str, str], user: str, source: str, now: float) -> Verified | Rejected:
        nonce = params["nonce"]
        match = _NONCE.fullmatch(nonce)
        if match is None or not hmac.compare_digest(match[2], self._mac(match[1], source)):
            return Rejected(True, "stale")
        issued = int(match[1], 16)
        age = now - issued / 1_000_000
        if not -1 <= age <= self._life or (nonce not in self._used and issued <= self._forgotten):
            return Rejected(True, "stale")
        # without qop there is no count, so such a nonce is good for one request
        count = int(params["nc"], 16) if params.get("qop") else 2**32
        if not self._count(nonce, count, now):
            return Rejected(True, "replayed")
        return Verified(user)

    def _count(self, nonce: str, count: int, now: float) -> bool:
        """Note `count` for `nonce`; False when it was seen, or is older than the window."""
        highest, seen = self._used.get(nonce, (0, 0))
        if count > highest:
            seen = ((seen << min(count - highest, _WINDOW)) | 1) & (2**_WINDOW - 1)
            highest = count
        else:
            bit = 1 << (highest - count)
            if highest - count >= _WINDOW or seen & bit or count == 0:
                return False
            seen |= bit
        if nonce not in self._used:
            self._forget(now)
        self._used[nonce] = (highest, seen)
        return True

    def _forget(self, now: float) -> None:
        """Drop nonces that are too old anyway; when still full, the oldest, and all nonces of its time."""
        used = self._used
        while used:
            oldest = next(iter(used))
            issued = int(oldest.partition("-")[0], 16)
            if now - issued / 1_000_000 <= self._life and len(used) < self._remembered:
                return
            del used[oldest]
            self._forgotten = max(self._forgotten, issued)


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
        algorithm = params.get("algorithm", "MD5").upper()
        qop = tuple(word.strip(" \t").lower() for word in params.get("qop", "").split(",") if word.strip())
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
