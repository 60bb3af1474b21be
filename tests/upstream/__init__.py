"""A scripted provider that speaks OpenAI's wires and Anthropic's: a real server on a real socket.

    with running() as upstream:            # a thread of this process, any free port
        upstream.base_url                  # http://127.0.0.1:PORT/v1     (OpenAI: …/chat/completions, …/responses,
                                           #   …/embeddings, …/models)
        upstream.root                      # http://127.0.0.1:PORT        (Anthropic: …/v1/messages,
                                           #   …/v1/messages/count_tokens, …/v1/models)
        upstream.calls()                   # what it saw: [{"id", "path", "dialect", "headers", "body", "scenario",
                                           #   "finished", "disconnected", "disconnected_after", …}]
        upstream.cancelled()               # how many of them the client let go before the answer was complete
        upstream.script("stall", chunks=3) # what models without a scenario of their own do from now on
        upstream.models("a", "b")          # what GET /models lists; models(status=500) makes it fail
        upstream.listings()                # the headers of each GET /models
        upstream.reset()

    python -m tests.upstream --port 9100   # the same in a process of its own; GET /__calls, POST /__script,
                                           # POST /__models, POST /__reset

A model name may carry its scenario: ``fake:normal``, ``fake:delay,delay_ms=1000``,
``fake:status,code=429,retry_after=7``. Any other name follows the script, which is ``normal`` at first. Through the
gateway: ``openai/fake:normal``, ``anthropic/fake:normal``. Every scenario works in both dialects, buffered and
streamed.

Scenarios (``SCENARIOS`` in ``scenarios.py``)
    normal, ok    "Hello from the fake upstream . "; text=Some_words says something else, chunks=N says w0 w1 …
    delay         the same; with delay_ms=N before anything is sent and pace_ms=N between frames
    drip          the same, in pieces of 7 bytes, 2 ms apart
    status        an HTTP error: code=500, retry_after=S, retry_after_ms=N, error_code=…, leak=1 (repeats the key)
    flaky         the same error for the first times=1 calls of this very model name, then normal; drop=1 instead
                  closes the connection after the head
    non-json      a 200 of HTML; html the same; content_type=application/json makes it lie
    error-first   a 200 whose first frame is an error; error-mid after two words
    stall         falls silent after=2 frames; stall-first after the head and before the first frame (Anthropic: after
                  message_start and ping)
    cut           the connection dies after=2 frames; break ends properly but without a finish and without [DONE]
    echo          answers with the messages that it was sent, as JSON, without the first skip=N (a persona's own prompt
                  names what it redirects); images with the image parts alone
    tools         case=split|malformed|parallel|mixed|text (the gateway's own write tools);
                  case=offered (the first tool of the body, {"city": "Berlin"}, in fragments), offered-parallel (the
                  first two), noindex (fragments without index and, after the first, without id), object (arguments
                  as an object), whole (each call in one frame)
    json          {"city": "Berlin", "days": 3}, what a JSON schema would be answered with
    reasoning     thinking first (reasoning_content, thinking blocks with a signature), then the text
    refusal       the model declines; length: cut short by max_tokens
    nulls         every optional field present and null
    huge          size=N bytes of text

Options of every scenario
    delay_ms, pace_ms, after, split=N (bytes per write), eol=crlf, comments=1 (keep-alives between frames),
    content_type=…, done=0 (no [DONE] / no message_stop), finish=… (another finish_reason or stop_reason),
    usage=none|last|every|null (OpenAI: no usage, on the last choice's chunk, on each, null until the end; Anthropic:
    none), cached=N, cache_write=N, responses=0 (no Responses API: 404), packed=1 (embeddings as base64 whatever was
    asked for)

The Anthropic dialect refuses what the real API refuses: no ``x-api-key`` (401), no ``anthropic-version``, no
``max_tokens``, unknown fields, a role other than user and assistant, tool calls without their results (400).
"""

from __future__ import annotations

from tests.upstream.serve import Handle, running

__all__ = ["Handle", "running"]
