"""An OpenID provider on a real socket that does as a test says, and lies where a test wants it to."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec

CLIENT_ID, CLIENT_SECRET = "ikiro-client", "a client secret nobody may see"


@dataclass
class OpenIdProvider:
    """``person`` is who signs in; ``token`` overrides claims of the ID token, ``document`` parts of the configuration;
    ``fault`` names one thing that is done wrong: wrong_key, alg_none, denied, token_refused, redirect,
    other_issuer_answer."""

    url: str = ""
    person: dict[str, Any] = field(default_factory=dict)
    token: dict[str, Any] = field(default_factory=dict)
    document: dict[str, Any] = field(default_factory=dict)
    userinfo: dict[str, Any] = field(default_factory=dict)
    fault: str = ""
    seen: list[str] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    key: Any = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    _codes: dict[str, dict[str, str]] = field(default_factory=dict)

    def is_person(self, email: str, **claims: Any) -> None:
        """Begin anew with somebody at the keyboard."""
        self.person = {"sub": f"sub-{email}", "email": email, "email_verified": True, "name": "Member", **claims}
        self.token, self.document, self.fault, self.seen = {}, {}, "", []
        self.userinfo = {"sub": self.person["sub"]}

    def configuration(self) -> dict[str, Any]:
        return {
            "issuer": self.url,
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
            "userinfo_endpoint": f"{self.url}/userinfo",
            "jwks_uri": f"{self.url}/keys",
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            **self.document,
        }

    def keys(self) -> dict[str, Any]:
        public = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": "one", "use": "sig", "alg": "ES256"}]}

    def authorize(self, query: dict[str, str]) -> str:
        answer = {"state": query["state"]}
        if self.fault == "denied":
            answer["error"] = "access_denied"
        else:
            code = secrets.token_hex(8)
            self._codes[code] = query
            answer["code"] = code
        if self.fault == "other_issuer_answer":
            answer["iss"] = "https://issuer.globex.example"
        return f"{query['redirect_uri']}?{urlencode(answer)}"

    def trade(self, form: dict[str, str], authorization: str) -> dict[str, Any] | None:
        asked = self._codes.pop(form.get("code", ""), None)
        basic = base64.b64encode(f"{CLIENT_ID}:{CLIENT_SECRET}".encode()).decode()
        proof = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest())
        if (
            asked is None
            or self.fault == "token_refused"
            or authorization != f"Basic {basic}"
            or proof.rstrip(b"=").decode() != asked["code_challenge"]
            or form["redirect_uri"] != asked["redirect_uri"]
        ):
            return None
        now = int(time.time())
        claims = {
            "iss": self.url, "aud": CLIENT_ID, "iat": now, "exp": now + 60, "nonce": asked["nonce"],
            **self.person, **self.token,
        }  # fmt: skip
        claims = {name: value for name, value in claims.items() if value is not None}
        key, algorithm = self.key, "ES256"
        if self.fault == "wrong_key":
            key = ec.generate_private_key(ec.SECP256R1())
        if self.fault == "alg_none":
            key, algorithm = "", "none"
        signed = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "one"})
        return {"access_token": "an-access-token", "token_type": "Bearer", "id_token": signed}


class Handler(BaseHTTPRequestHandler):
    """The provider's addresses."""

    provider: OpenIdProvider

    def do_GET(self) -> None:
        provider, parts = self.provider, urlsplit(self.path)
        provider.seen.append(parts.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/authorize":
            self._redirect(provider.authorize(query))
        elif provider.fault == "redirect":
            self._redirect(f"{provider.url}/keys")
        elif parts.path in provider.files:
            self._send(provider.files[parts.path].encode(), 200)
        elif parts.path == "/.well-known/openid-configuration":
            self._json(provider.configuration())
        elif parts.path == "/keys":
            self._json(provider.keys())
        elif parts.path == "/userinfo" and self.headers["authorization"] == "Bearer an-access-token":
            self._json(provider.userinfo)
        else:
            self._json({"error": "not found"}, 404)

    def do_POST(self) -> None:
        self.provider.seen.append(self.path)
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        answer = self.provider.trade(form, self.headers.get("authorization", ""))
        self._json(answer or {"error": "invalid_grant"}, 200 if answer else 400)

    def _json(self, body: Any, status: int = 200) -> None:
        self._send(json.dumps(body).encode(), status)

    def _send(self, content: bytes, status: int) -> None:
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _redirect(self, url: str) -> None:
        self.send_response(302)
        self.send_header("location", url)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        return


@contextmanager
def serving() -> Iterator[OpenIdProvider]:
    provider = OpenIdProvider()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"provider": provider}))
    server.daemon_threads = True
    provider.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        server.server_close()
