"""How accounts fail for reasons of ours.

Unavailable
├── AccountsBusy      503 accounts_busy      more people sign in at this moment than may at once
└── MailUnavailable   503 mail_unavailable   the mail server did not take a mail
"""

from __future__ import annotations

from gateway.core.errors import Unavailable


class AccountsBusy(Unavailable):
    default_code = "accounts_busy"


class MailUnavailable(Unavailable):
    default_code = "mail_unavailable"

    def __init__(self) -> None:
        super().__init__("The mail could not be sent; try again shortly.", retry_after=30)
