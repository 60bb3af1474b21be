"""The account's own pages: profile, security, sessions, shortcuts."""
