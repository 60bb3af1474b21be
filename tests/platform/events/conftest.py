from tests.factories.organizations import acme, committed_database, globex

__all__ = ["acme", "committed_database", "globex"]
