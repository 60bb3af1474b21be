"""Single sign-on, one connection per organization: OpenID Connect or SAML, over django-allauth's providers.

An identity provider speaks for its organization's verified domains and for nobody else. The guide is
``docs/guides/sso.md``, the reasons are in ADR-0024.
"""
