"""The console's one way out: calls of the gateway's API over HTTP, recorded so that a page can show them."""

from console.gateway.accounts import AccountsAnswer, AccountsClient
from console.gateway.answers import Result
from console.gateway.calls import Call
from console.gateway.client import GatewayClient
from console.gateway.errors import ApiError, FieldProblem, GatewayDown

__all__ = [
    "AccountsAnswer",
    "AccountsClient",
    "ApiError",
    "Call",
    "FieldProblem",
    "GatewayClient",
    "GatewayDown",
    "Result",
]
