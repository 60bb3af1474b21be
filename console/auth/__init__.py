"""Sign-up, sign-in, second factors and the account's own pages."""
