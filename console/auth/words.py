"""What is said about the accounts' machine codes: what, why, what next. Other codes keep the server's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_SAID: Mapping[str, str] = {
    "account_inactive": "This account is switched off. Ask an owner of your organization.",
    "add_email_blocked": "An account with two-factor authentication keeps its address. Turn two-factor off first.",
    "cannot_generate_recovery_codes": "Recovery codes belong to a second factor. Set one up first.",
    "cannot_remove_primary_email": "This is the address you sign in with; change it instead.",
    "duplicate_email": "This is your address already.",
    "email_password_mismatch": "E-mail and password do not fit together. Check both, or choose a new password.",
    "email_taken": "Another account has proved this address. Sign in with it, or use another one.",
    "enter_current_password": "This is not your current password.",
    "incorrect_code": "This code is not right, or it was used already. Enter the newest one.",
    "incorrect_password": "This is not your password.",
    "invalid_or_expired_key": "This link is not valid, or no longer. Sign in to get a new one.",
    "invalid_password_reset": "This link was used already or is too old. Ask for a new one.",
    "password_entirely_numeric": "Digits alone are guessed quickly. Add words.",
    "password_too_common": "This password is on the lists that attackers try first. Choose a few words of your own.",
    "password_too_short": "Use at least 12 characters. A few words are better than signs.",
    "password_too_similar": "This password is too close to your address or name. Choose another.",
    "same_as_current": "This is what you have now. Enter another one.",
    "unverified_email": "Confirm your address first.",
}
_WAITS: Mapping[str, str] = {
    "locked_out": "Too many failed attempts. Nothing was checked this time, not even a right answer.",
    "too_many_requests": "That was asked too often.",
}
SSO: Mapping[str, str] = {
    "sso": "Single sign-on did not finish. Try again.",
    "sso_unavailable": "Single sign-on is not set up for this organization, or is switched off. Use your password.",
    "sso_cancelled": "You stopped at your identity provider. Try again when you like.",
    "sso_failed": "The identity provider's answer could not be verified. Try again; tell an admin if it persists.",
    "sso_expired": "This took too long, or was begun in another browser. Begin again here.",
    "sso_provider_unreachable": "Your identity provider did not answer. Try again in a minute.",
    "sso_email_missing": "Your identity provider sent no e-mail address. Ask an admin to have it included.",
    "sso_email_not_verified": "Your identity provider has not confirmed your e-mail address. Confirm it there first.",
    "sso_domain_not_verified": "Your e-mail address is outside this organization's domains. Ask an admin to add yours.",
    "sso_account_inactive": "This account is switched off. Ask an admin.",
    "sso_membership_removed": "You are no longer a member of this organization. Ask an admin to invite you again.",
    "begun_elsewhere": "This sign-in was not begun in this browser. Enter your address to begin it here.",
    "sso_code_invalid": "This sign-in was used already or took too long. Begin again.",
}  # fmt: skip


def of(problem: Mapping[str, Any]) -> str:
    """One error of an answer, in words."""
    return _SAID.get(str(problem.get("code")), str(problem.get("message") or "This was refused."))


def of_wait(problem: Mapping[str, Any]) -> str:
    """Why one has to wait."""
    return _WAITS.get(str(problem.get("code")), _WAITS["too_many_requests"])
