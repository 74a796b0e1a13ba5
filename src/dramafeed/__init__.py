"""dramafeed: a headless CMS for review blogs, as a Flask extension.

Only the names below are promised; nothing deeper is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"
__all__ = ["Dramafeed", "DramafeedError", "Settings", "__version__", "create_app"]

if TYPE_CHECKING:
    from dramafeed.app import Dramafeed, create_app
    from dramafeed.errors import DramafeedError
    from dramafeed.settings import Settings

_HOMES = {"Dramafeed": "app", "create_app": "app", "DramafeedError": "errors", "Settings": "settings"}


def __getattr__(name: str) -> Any:
    # Loaded on first use, so that modules below can ask for __version__ without a cycle.
    if name not in _HOMES:
        raise AttributeError(f"module 'dramafeed' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"dramafeed.{_HOMES[name]}"), name)
