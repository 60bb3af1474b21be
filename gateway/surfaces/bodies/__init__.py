"""Bodies of requests and answers, for organizations that asked to keep them: taken beside the request's way, masked,
sealed and written in the background. What a dying worker had not written yet is lost; the ledger never is."""

from gateway.surfaces.bodies.keeping import keep, wanted
from gateway.surfaces.bodies.writing import flush, loop

__all__ = ["flush", "keep", "loop", "wanted"]
