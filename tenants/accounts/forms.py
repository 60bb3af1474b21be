"""What sign-up asks for beyond allauth's own fields, and what it must not give away."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.hashers import make_password
from django.contrib.auth.password_validation import validate_password
from django.http import HttpRequest

from tenants.models import User


class SignUpFields(forms.Form):
    """An optional name. Also compares the password with the address and the name, which allauth does not do here."""

    name = forms.CharField(max_length=120, required=False)

    account_already_exists = False

    def clean(self) -> dict[str, Any]:
        data = super().clean() or self.cleaned_data
        password = data.get("password")
        if password and data.get("email"):
            try:
                validate_password(password, User(email=data["email"], name=data.get("name", "")))
            except forms.ValidationError as error:
                self.add_error("password", error)
        if self.account_already_exists and not self.errors:
            make_password(password)  # a new account is hashed once; a taken address must cost the same
        return data

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth with the saved person."""
        name = self.cleaned_data.get("name", "").strip()
        if name:
            user.name = name
            user.save(update_fields=["name"])
