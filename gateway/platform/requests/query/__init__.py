"""The search language of requests: ``status:>=400 model:openai/* -code:rate_limited since:24h``.

    query  = { term }
    term   = ["-"] ( field ":" values | word )
    values = [ ">=" | "<=" | ">" | "<" | "=" ] value { "," value }
    value  = bare | quoted | low ".." high

``parse`` reads text to a value, ``render`` writes it back in its one canonical form, ``condition`` makes the database
condition of it.
"""

from gateway.platform.requests.query.filters import condition
from gateway.platform.requests.query.parser import MAX_LENGTH, parse
from gateway.platform.requests.query.rendering import render
from gateway.platform.requests.query.terms import FIELDS, SearchQuery

__all__ = ["FIELDS", "MAX_LENGTH", "SearchQuery", "condition", "parse", "render"]
