"""Persons, their sessions, their memberships and the organizations they make."""
