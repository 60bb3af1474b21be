"""How an outbound call fails. All of them are ``UpstreamError``, so every surface can already say them.

UpstreamError
├── EgressRefused      502  egress_refused         the address is one we do not call
├── ConnectFailed      502  upstream_unreachable   no name, no route, refused, TLS failed, connecting took too long
├── UpstreamTimeout    504  upstream_timeout       no first byte in time, or the whole call took too long
├── UpstreamStalled    504  upstream_stalled       the answer began and then fell silent
└── UpstreamBroken     502  upstream_error         the answer broke off, is malformed or too large
"""

from __future__ import annotations

from gateway.core.errors import UpstreamError


class EgressRefused(UpstreamError):
    default_code = "egress_refused"


class ConnectFailed(UpstreamError):
    default_code = "upstream_unreachable"


class UpstreamTimeout(UpstreamError):
    status, default_code = 504, "upstream_timeout"


class UpstreamStalled(UpstreamError):
    status, default_code = 504, "upstream_stalled"


class UpstreamBroken(UpstreamError):
    default_code = "upstream_error"


class NotSeen(UpstreamBroken):
    """A kept connection was closed by its server before it can have seen the request, which may be sent again."""
