from tests.factories.organizations import acme, committed_database, globex, quiet

__all__ = ["acme", "committed_database", "globex", "quiet"]
