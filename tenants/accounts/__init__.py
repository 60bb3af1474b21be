"""Accounts of persons: django-allauth, fitted to this product by its own adapters, and what must follow from a change.

Allauth's headless API (``/_allauth/app/v1``) is the surface; the files here say how it hashes, throttles, writes mail,
ends sessions and leaves a trail. ``docs/reference/accounts.md`` is the client's view.
"""
