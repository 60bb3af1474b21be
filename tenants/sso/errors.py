"""How single sign-on fails.

Towards the API, errors of the gateway's own base; towards the browser, ``SignInRefused``, whose code the console's
sign-in page puts in words.
"""

from __future__ import annotations

from gateway.core.errors import BadRequest, Conflict, FieldProblem, NotFound


class SignInRefused(Exception):
    """Nobody is signed in, for this reason. ``detail`` says it in clear words and without anything secret."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail


def not_configured() -> NotFound:
    return NotFound("Single sign-on is not set up; begin with PUT /v1/sso.", code="sso_not_configured")


def enforced(what: str) -> Conflict:
    return Conflict(f"Single sign-on is enforced: {what}. Disable it first.", code="sso_enforced")


def invalid(pointer: str, message: str, *, code: str = "invalid_request") -> BadRequest:
    """One field of the configuration that cannot be used."""
    problem = FieldProblem(f"#/{pointer}", code, message)
    return BadRequest(f"{pointer.replace('/', '.')}: {message}", code=code, problems=(problem,))
