"""The fast lane: a second way in to the same core, for the one kind of request that most of the traffic is.

A chat completion by a key, with no header and no field that asks for more, is answered here without Django's request
and response. Who may do so is decided by the functions that decide it everywhere (``known``); what they said is kept
for as long as it stands (``engine.chat.prepared``). What is warm besides does not even become an ASGI request
(``direct``). Whatever is not plain, or turns out not to be, goes down the usual
lane: before its admission as if it had never been here, after it as the call that it is by then.
"""

from __future__ import annotations

from gateway.surfaces.fast_lane.lane import PATH, FastLane

__all__ = ["PATH", "FastLane"]
