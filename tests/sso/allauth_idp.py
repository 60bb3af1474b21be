"""Somebody else's identity provider: django-allauth's own OpenID provider in a process of its own, with its own
settings and database.

``python allauth_idp.py PORT DIRECTORY REDIRECT_URI EMAIL`` serves one client and one person until it is ended. Whoever
is sent to its sign-in page is that person at once.
"""

from __future__ import annotations

import sys
from pathlib import Path
from wsgiref.simple_server import WSGIRequestHandler, make_server

import django
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

CLIENT_ID, CLIENT_SECRET = "gateway", "the secret of allauth's client"


def configure(directory: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    settings.configure(
        SECRET_KEY="of the provider alone",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=__name__,
        LOGIN_URL="/enter",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(directory / "idp.sqlite3")}},
        INSTALLED_APPS=[
            "django.contrib.contenttypes", "django.contrib.auth", "django.contrib.sessions", "django.contrib.messages",
            "allauth", "allauth.account", "allauth.idp.oidc",
        ],
        MIDDLEWARE=[
            "django.contrib.sessions.middleware.SessionMiddleware",
            "django.contrib.auth.middleware.AuthenticationMiddleware",
            "django.contrib.messages.middleware.MessageMiddleware",
            "allauth.account.middleware.AccountMiddleware",
        ],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
        IDP_OIDC_PRIVATE_KEY=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
    )  # fmt: skip
    django.setup()


def fill(redirect_uri: str, email: str) -> None:
    from allauth.account.models import EmailAddress
    from allauth.idp.oidc.models import Client
    from django.contrib.auth import get_user_model
    from django.core.management import call_command

    call_command("migrate", verbosity=0)
    person = get_user_model().objects.create_user("person", email, first_name="Staff", last_name="Member")
    EmailAddress.objects.create(user=person, email=email, verified=True, primary=True)
    client = Client(id=CLIENT_ID, name="Gateway", skip_consent=True)
    client.set_redirect_uris([redirect_uri])
    client.set_scopes(["openid", "profile", "email"])
    client.set_secret(CLIENT_SECRET)
    client.save()


def enter(request: HttpRequest) -> HttpResponse:
    from django.contrib.auth import get_user_model, login

    login(request, get_user_model().objects.get(), backend="django.contrib.auth.backends.ModelBackend")
    return HttpResponseRedirect(request.GET["next"])


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: object) -> None:
        return


def main(port: str, directory: str, redirect_uri: str, email: str) -> None:
    configure(Path(directory))
    fill(redirect_uri, email)
    from django.core.wsgi import get_wsgi_application
    from django.urls import include, path

    globals()["urlpatterns"] = [path("enter", enter), path("", include("allauth.idp.urls"))]
    make_server("127.0.0.1", int(port), get_wsgi_application(), handler_class=Quiet).serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
