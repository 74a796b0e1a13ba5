"""httpsig's header composer over a key that is parsed already.

httpsig signs here and never judges. It is imported without running its package file, which asks
`pkg_resources` for a version number: recent setuptools no longer has that module, older ones warn.
Loaded at the first signature, so that processes which never sign do not carry httpsig's libraries.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from types import ModuleType

from dramafeed.activitypub.keys import PrivateKey


@contextmanager
def _bare_package(name: str) -> Iterator[None]:
    """Lets the modules of a package be imported without its `__init__`, unless that ran already."""
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        yield
        return
    package = ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules[name] = package
    try:
        yield
    finally:
        # Whoever wants the package later gets the real one, with modules of its own.
        for loaded in [each for each in sys.modules if each.partition(".")[0] == name]:
            del sys.modules[loaded]


with _bare_package("httpsig"):
    from httpsig.sign import HeaderSigner
    from httpsig.utils import build_signature_template


class _KeptKeySigner(HeaderSigner):  # type: ignore[misc] # httpsig has no types
    def __init__(self, key: PrivateKey, key_id: str, headers: Sequence[str]) -> None:
        # The parent's __init__ would parse the key anew, with a slower library, for every request.
        self._key = key
        self._rsa = True
        self.sign_algorithm, self.hash_algorithm = "rsa", "sha256"
        self.headers = headers
        self.sign_header = "signature"
        self.signature_template = _template(key_id, tuple(headers))

    def _sign_rsa(self, data: str | bytes) -> bytes:
        return self._key.sign(data.encode("ascii") if isinstance(data, str) else data)


@lru_cache(maxsize=256)
def _template(key_id: str, headers: tuple[str, ...]) -> str:
    # httpsig uses the text as a %-format: an encoded character in the key id must be doubled.
    template = build_signature_template(key_id.replace("%", "%%"), "rsa-sha256", headers, "signature")
    assert isinstance(template, str)
    return template


def compose(
    key: PrivateKey,
    key_id: str,
    covered: Sequence[str],
    *,
    headers: dict[str, str],
    method: str,
    target: str,
) -> dict[str, str]:
    """The headers, in lower case, and the Signature header that covers those in `covered`."""
    signer = _KeptKeySigner(key, key_id, covered)
    return dict(signer.sign(headers, method=method, path=target))
