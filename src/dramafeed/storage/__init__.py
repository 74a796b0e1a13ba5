"""The database: one `Store`, one transaction at a time per thread, one gateway per family of tables.

Decides nothing about publishing, federation or delivery. SQLite and PostgreSQL differ only in here.
"""

from dramafeed.storage.store import Reading, Store, Transaction

__all__ = ["Reading", "Store", "Transaction"]
