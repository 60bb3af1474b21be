"""Reads of decision records and bodies of the organization in scope."""

from gateway.platform.requests.selectors.bodies import bodies, body, parts
from gateway.platform.requests.selectors.facets import facets
from gateway.platform.requests.selectors.inputs import kept_inputs
from gateway.platform.requests.selectors.records import get, list_page, many, search, to_record
from gateway.platform.requests.selectors.shadowed import shadowed
from gateway.platform.requests.selectors.tail import last_written, written_after
from gateway.platform.requests.selectors.versions import VersionUse, by_persona_version

__all__ = [
    "VersionUse",
    "bodies",
    "body",
    "by_persona_version",
    "facets",
    "get",
    "kept_inputs",
    "last_written",
    "list_page",
    "many",
    "parts",
    "search",
    "shadowed",
    "to_record",
    "written_after",
]
