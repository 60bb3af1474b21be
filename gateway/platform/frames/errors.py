"""Why a stream ends before its time, or cannot be taken up again."""

from __future__ import annotations

from gateway.core.errors import GatewayError, Gone


class StreamCancelled(GatewayError):
    """Its caller hung up, and the key's choice is to cancel. The status is only shown: nobody waits for an answer."""

    status, title, default_code = 499, "The caller hung up", "stream_cancelled"


class StreamLost(GatewayError):
    """The process that wrote it is gone, or could not keep its frames."""

    status, title, default_code = 500, "The rest of the stream is lost", "stream_lost"


class StreamGap(Gone):
    """Frames after the one named are no longer kept; ``resume_after`` names the frame from which all are."""

    default_code = "stream_gap"


class StreamExpired(Gone):
    """The request is known, but no frames of it are kept: it ended more than five minutes ago, or had none."""

    default_code = "stream_expired"
