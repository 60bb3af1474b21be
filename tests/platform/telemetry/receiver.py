"""Where an operator's telemetry would go: an OTLP/HTTP collector and an event sink, on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


class Receiver:
    """What came in. ``status`` is what the event sink answers from now on."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []
        self.spans: list[dict[str, Any]] = []
        self.raw: list[bytes] = []
        self.status = 200
        self.base_url = ""

    def named(self, event: str, org_id: str | None = None) -> list[dict[str, Any]]:
        """The properties of one event's occurrences, of one organization where given."""
        found = [one["properties"] for one in list(self.events) if one["event"] == event]
        return [one for one in found if org_id is None or one["org_id"] == org_id]

    def trace(self, trace_id: str) -> list[dict[str, Any]]:
        return [one for one in list(self.spans) if one["trace_id"] == trace_id]

    def _take_spans(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            service = {one.key: one.value.string_value for one in resource.resource.attributes}
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.append(
                        {
                            "trace_id": span.trace_id.hex(),
                            "span_id": span.span_id.hex(),
                            "parent_id": span.parent_span_id.hex(),
                            "name": span.name,
                            "kind": span.kind,
                            "status": span.status.code,
                            "began": span.start_time_unix_nano,
                            "ended": span.end_time_unix_nano,
                            "attributes": {one.key: _value(one.value) for one in span.attributes},
                            "events": len(span.events),
                            "service": service.get("service.name"),
                        }
                    )


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(one) for one in value.array_value.values]
    return getattr(value, kind)


@contextmanager
def receiving() -> Iterator[Receiver]:
    """A receiver on any free port, in a thread."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.raw.append(body)
            status = 200
            if self.path == "/v1/traces":
                receiver._take_spans(body)
            else:
                status = receiver.status
                if status < 300:
                    receiver.events.extend(json.loads(body)["batch"])
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    receiver.base_url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
