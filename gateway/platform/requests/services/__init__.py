"""Writing decision records and bodies of the organization in scope, and letting go of old ones."""

from gateway.platform.requests.services.bodies import reseal, store_bodies
from gateway.platform.requests.services.erasing import erase, ids_of, without
from gateway.platform.requests.services.records import write_records
from gateway.platform.requests.services.retention import retain

__all__ = ["erase", "ids_of", "reseal", "retain", "store_bodies", "without", "write_records"]
