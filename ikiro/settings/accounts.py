"""How people sign in: django-allauth over its headless API for apps, sessions, passwords, throttling and mail.

Imported by ``base``. Everything here lives in the public schema (ADR-0004): an account belongs to a person, never to an
organization. The reference page ``docs/reference/accounts.md`` says what a client sees of it.
"""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from ikiro.settings import environment as env

ACCOUNT_APPS = [
    "django.contrib.sessions",
    "tenants.accounts",
    "allauth",
    "allauth.account",
    "allauth.headless",
    "allauth.mfa",
    "allauth.usersessions",
    "allauth.socialaccount",
]

# The stock lane of /_allauth/ and /accounts/ (ikiro/account_lane.py). The API and the console run none of it.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "tenants.accounts.middleware.Answers",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
]
IKIRO_ACCOUNT_THREADS = env.integer("IKIRO_ACCOUNT_THREADS", 4, least=1, most=16)

# --- where people open the console, for links in mail and as the passkeys' home ---------------------------------
IKIRO_CONSOLE_URL = (
    env.text("IKIRO_CONSOLE_URL", "")
    or env.text("IKIRO_PUBLIC_URL", "")
    or f"http://127.0.0.1:{env.integer('PORT', 8000, most=65535)}"
).rstrip("/")
HEADLESS_FRONTEND_URLS = {
    "account_signup": f"{IKIRO_CONSOLE_URL}/signup",
    "account_confirm_email": f"{IKIRO_CONSOLE_URL}/verify?key={{key}}",
    "account_reset_password": f"{IKIRO_CONSOLE_URL}/password/forgot",
    "account_reset_password_from_key": f"{IKIRO_CONSOLE_URL}/password/reset?key={{key}}",
    "socialaccount_login_error": f"{IKIRO_CONSOLE_URL}/login?error=sso",
}

# --- accounts -------------------------------------------------------------------------------------------------
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
ACCOUNT_ADAPTER = "tenants.accounts.adapter.AccountAdapter"
ACCOUNT_SIGNUP_FORM_CLASS = "tenants.accounts.forms.SignUpFields"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_DISPLAY = "tenants.accounts.adapter.display_name"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_UNIQUE_EMAIL = True
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_CHANGE_EMAIL = True
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_ENABLED = True
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_MAX_ATTEMPTS = 5
ACCOUNT_EMAIL_VERIFICATION_BY_CODE_TIMEOUT = env.integer("IKIRO_MAIL_CODE_S", 900, least=1)
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_RESEND = 5
ACCOUNT_EMAIL_VERIFICATION_SUPPORTS_CHANGE = 3
ALLAUTH_USER_CODE_FORMAT = {"length": 6, "numeric": True, "dashed": False}
# The link in the same mail works in any browser, so it may live longer than the code of one sign-up.
IKIRO_MAIL_LINK_S = env.integer("IKIRO_MAIL_LINK_S", 86_400, least=1)
PASSWORD_RESET_TIMEOUT = env.integer("IKIRO_RESET_LINK_S", 3600, least=1)
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
ACCOUNT_LOGIN_TIMEOUT = 900

HEADLESS_ONLY = True
HEADLESS_CLIENTS = ("app",)
HEADLESS_ADAPTER = "tenants.accounts.headless.HeadlessAdapter"
HEADLESS_TOKEN_STRATEGY = "tenants.accounts.headless.SessionTokens"  # noqa: S105 - the name of a class

MFA_ADAPTER = "tenants.accounts.mfa.MfaAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_TOTP_ISSUER = "Ikiro Gateway"
# A code of the step before or after is taken too, each step once (tenants/accounts/mfa.py).
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TRUST_ENABLED = True
MFA_TRUST_COOKIE_NAME = "ikiro_trust"
MFA_TRUST_COOKIE_AGE = 30 * 86_400
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = False
USERSESSIONS_TRACK_ACTIVITY = True

# --- sessions -------------------------------------------------------------------------------------------------
SESSION_ENGINE = "tenants.accounts.sessions"
SESSION_COOKIE_NAME = "ikiro_accounts"
SESSION_COOKIE_PATH = "/accounts/"
SESSION_COOKIE_AGE = env.integer("IKIRO_SESSION_S", 14 * 86_400, least=60)

# --- passwords --------------------------------------------------------------------------------------------------
PASSWORD_HASHERS = [
    "tenants.accounts.passwords.Argon2id",
    "django.contrib.auth.hashers.ScryptPasswordHasher",  # of earlier versions; replaced at the next sign-in
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]

# --- throttling, shared by all processes through the cache ------------------------------------------------------
CACHES = {
    "default": {
        "BACKEND": "tenants.accounts.limits.LimitCache",
        "LOCATION": env.text("IKIRO_CACHE_URL", "") or env.text("IKIRO_REDIS_URL"),
        "KEY_PREFIX": "accounts",
        "OPTIONS": {
            "serializer": "tenants.accounts.limits.Json",
            "socket_timeout": 2.0,
            "socket_connect_timeout": 2.0,
        },
    }
}
IKIRO_TRUSTED_PROXIES = env.integer("IKIRO_TRUSTED_PROXIES", 0, most=10)
_PER_ADDRESS = env.integer("IKIRO_SIGN_IN_PER_ADDRESS", 20, least=1)
_LOCKOUT_S = env.integer("IKIRO_LOCKOUT_S", 300, least=1)
_LOCKOUT_AFTER = env.integer("IKIRO_LOCKOUT_AFTER", 5, least=1)
_MAIL_PAUSE_S = env.decimal("IKIRO_MAIL_PAUSE_S", 10, least=0.1)
ACCOUNT_RATE_LIMITS = {
    "login": f"{2 * _PER_ADDRESS}/m/ip",
    # Wrong passwords and wrong second factors: per account, and per address over all accounts.
    "login_failed": f"{_PER_ADDRESS}/m/ip,{_LOCKOUT_AFTER}/{_LOCKOUT_S}s/key",
    "signup": f"{_PER_ADDRESS}/m/ip",
    "reset_password": f"{_PER_ADDRESS}/m/ip,5/m/key",
    "reset_password_from_key": f"{_PER_ADDRESS}/m/ip",
    "enter_code": f"{_PER_ADDRESS}/m/ip,10/{_LOCKOUT_S}s/key",
    "change_password": "5/m/user",
    "reauthenticate": "10/m/user",
    "manage_email": "10/m/user",
    "confirm_email": f"1/{_MAIL_PAUSE_S}s/key",
}
MFA_RATE_LIMITS = {"webauthn_login": f"{_PER_ADDRESS}/m/ip"}

# --- mail -------------------------------------------------------------------------------------------------------
DEFAULT_FROM_EMAIL = SERVER_EMAIL = env.text("IKIRO_MAIL_FROM", "Ikiro <no-reply@localhost>")
EMAIL_TIMEOUT = 10
EMAIL_BACKEND = "django.core.mail.backends.console.EmailBackend"
if env.text("IKIRO_SMTP_URL", ""):
    _smtp = urlsplit(env.text("IKIRO_SMTP_URL"))
    if _smtp.scheme not in {"smtp", "smtps", "starttls"} or not _smtp.hostname:
        raise ImproperlyConfigured("IKIRO_SMTP_URL must look like starttls://user:password@host:587 (smtp, smtps).")
    EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    EMAIL_HOST = _smtp.hostname
    EMAIL_PORT = _smtp.port or {"smtp": 25, "smtps": 465, "starttls": 587}[_smtp.scheme]
    EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = unquote(_smtp.username or ""), unquote(_smtp.password or "")
    EMAIL_USE_SSL, EMAIL_USE_TLS = _smtp.scheme == "smtps", _smtp.scheme == "starttls"
elif env.text("IKIRO_MAIL_DIR", ""):  # a development aid: each mail becomes a file
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = env.text("IKIRO_MAIL_DIR")
