"""What is known of an organization's export."""

from __future__ import annotations

from datetime import timedelta

KIND = "organization.export"
# Then its pieces are deleted; another can be made.
KEPT_FOR = timedelta(days=7)
