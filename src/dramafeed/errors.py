"""Everything that can go wrong on purpose, as one tree.

    DramafeedError
    ├── SettingsError        a setting is missing, malformed or contradicts another
    ├── ContentError         a file that a writer dropped cannot be published as it is
    ├── StorageError         the database cannot be used (version, file system, lock)
    ├── SignatureError       an HTTP signature is missing, malformed or wrong
    ├── MalformedError       a document from another server has the wrong shape
    └── TransportError       another server could not be reached or may not be asked
        └── ForbiddenAddressError the address is private, loopback or otherwise off limits

Each error keeps the thing it concerns and reads as one plain sentence that names the next step.
"""

from __future__ import annotations


class DramafeedError(Exception):
    """Base of every error that a person can cause and mend."""


class SettingsError(DramafeedError):
    """A setting cannot be used; the message names it and what to write instead."""


class ContentError(DramafeedError):
    """A content file cannot be read at all (single problems are `model.Problem` values)."""

    def __init__(self, path: str, message: str) -> None:
        super().__init__(f"{path}: {message}")
        self.path = path


class StorageError(DramafeedError):
    """The database cannot be used as it is; the message names the cure."""


class SignatureError(DramafeedError):
    """A request is not signed as it must be; the message names the rule that failed."""


class MalformedError(DramafeedError):
    """A document that came from outside does not have the shape it must have."""


class TransportError(DramafeedError):
    """Another server gave no usable answer.

    `status` is the HTTP status when there was one, `retry_after` the seconds it asked us to wait.
    """

    def __init__(
        self, url: str, message: str, *, status: int | None = None, retry_after: int | None = None
    ) -> None:
        super().__init__(f"{url}: {message}")
        self.url = url
        self.status = status
        self.retry_after = retry_after


class ForbiddenAddressError(TransportError):
    """The address may not be contacted from here (private, loopback, odd port or scheme)."""
