"""All settings: one table, read once into a frozen `Settings`.

The table feeds validation, `dramafeed --help` and the reference page (`tests/test_docs.py` compares them).
Nothing else in the package reads the environment or `app.config`.
"""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from dramafeed.errors import SettingsError
from dramafeed.urls import Urls

PREFIX = "DRAMAFEED_"
_TRUE = {"1", "yes", "true", "on"}
_FALSE = {"0", "no", "false", "off", ""}


@dataclass(frozen=True)
class Setting:
    """One row of the table. `default` is the text shown to people; `read` turns text into the value."""

    name: str
    default: str
    help: str
    read: Callable[[str, str], Any]


def _text(_name: str, value: str) -> str:
    return value.strip()


def _switch(name: str, value: str) -> bool:
    word = value.strip().lower()
    if word in _TRUE or word in _FALSE:
        return word in _TRUE
    raise SettingsError(f"{PREFIX}{name} is {value!r}; write yes or no.")


def _seconds(name: str, value: str) -> int:
    if not value.strip().isdigit() or len(value.strip()) > 9:
        raise SettingsError(f"{PREFIX}{name} is {value!r}; write a whole number of seconds.")
    return int(value)


def _one_of(*words: str) -> Callable[[str, str], str]:
    def read(name: str, value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise SettingsError(f"{PREFIX}{name} is {value!r}; write {' or '.join(words)}.")
        return word

    return read


TABLE: tuple[Setting, ...] = (
    Setting("BASE_URL", "http://127.0.0.1:8000", "canonical address of the site; may end in a path", _text),
    Setting("CONTENT", "content", "the folder that writers use", _text),
    Setting("DATA", "var", "folder of the SQLite file and everything else that dramafeed keeps", _text),
    Setting("MEDIA", "<DATA>/media", "derived pictures under content-hashed names", _text),
    Setting(
        "DATABASE_URL",
        "sqlite:///<DATA>/dramafeed.sqlite3",
        "SQLite by default, or postgresql+psycopg://user@host/name",
        _text,
    ),
    Setting(
        "BACKUPS",
        "<DATA>/backups",
        "folder of the daily copies of the SQLite file, better on another disk; off: none",
        _text,
    ),
    Setting("HANDLE_DOMAIN", "host of BASE_URL", "the part of a handle after the second @", _text),
    Setting("LISTEN", "127.0.0.1:8000", "address and port that `serve` and `web` listen on", _text),
    Setting(
        "ALLOW_PRIVATE_ADDRESSES",
        "no",
        "let deliveries and fetches reach loopback and private addresses, with http and any port: "
        "tests and local trials only",
        _switch,
    ),
    Setting(
        "FEDERATE",
        "auto",
        "yes: a public site federates; auto: once `dramafeed doctor` has passed; no: never",
        _one_of("auto", "yes", "no"),
    ),
    Setting("HOLD_SECONDS", "60", "pause between publishing on the site and the first delivery", _seconds),
    Setting("GRACE_SECONDS", "600", "pause between a file's disappearance and its withdrawal", _seconds),
    Setting("QUIET_SECONDS", "300", "pause after the last save of an edit before it is sent", _seconds),
    Setting("WELL_KNOWN", "on", "answer /.well-known/ at the root of the host", _switch),
    Setting(
        "WORKER",
        "off",
        "in a host application: thread runs the worker beside the web server; off leaves it to "
        "`dramafeed worker`",
        _one_of("off", "thread"),
    ),
    Setting("HOT", "on", "answer finished documents and inboxes before Flask is entered", _switch),
)


@dataclass(frozen=True)
class Settings:
    """Validated settings. Paths are absolute; durations are seconds."""

    base_url: str
    content: Path
    data: Path
    media: Path
    database_url: str
    backups: Path | None
    handle_domain: str
    listen: str
    allow_private_addresses: bool
    federate: str
    hold_seconds: int
    grace_seconds: int
    quiet_seconds: int
    well_known: bool
    worker: str
    hot: bool

    @property
    def urls(self) -> Urls:
        """Every address of the site."""
        return Urls(self.base_url, self.handle_domain)

    @property
    def public(self) -> bool:
        """False when BASE_URL is a loopback or private address: a local try-out."""
        host = urlsplit(self.base_url).hostname or ""
        if host == "localhost" or host.endswith(".localhost"):
            return False
        try:
            return ipaddress.ip_address(host).is_global
        except ValueError:
            return True

    @property
    def listen_address(self) -> tuple[str, int]:
        """Host and port to listen on."""
        host, _, port = self.listen.rpartition(":")
        return host.strip("[]"), int(port)


def from_environment(environment: Mapping[str, str] | None = None) -> Settings:
    """Settings of the standalone site, from `DRAMAFEED_*` variables.

    Raises:
        SettingsError: a value cannot be used, or an unknown `DRAMAFEED_*` name is set.
    """
    source = os.environ if environment is None else environment
    given = {k.removeprefix(PREFIX): v for k, v in source.items() if k.startswith(PREFIX)}
    return build(given)


def build(given: Mapping[str, Any], *, data_default: Path | None = None) -> Settings:
    """Settings from names without prefix; what is absent gets its default.

    Args:
        given: e.g. `{"BASE_URL": "https://blog.example"}`; values are text, numbers or booleans.
        data_default: where DATA lives when it is not given (a host application's instance folder).
    """
    known = {row.name for row in TABLE}
    for name in given:
        if name not in known and name != "SOAK":
            raise SettingsError(
                f"{PREFIX}{name} is not a setting of dramafeed; remove it or correct its name."
            )
    values = {row.name: row.read(row.name, _as_text(given.get(row.name, row.default))) for row in TABLE}
    base_url = _base_url(values["BASE_URL"])
    data = Path(values["DATA"]) if "DATA" in given else (data_default or Path(values["DATA"]))
    data = data.expanduser().absolute()
    media = Path(values["MEDIA"]).expanduser().absolute() if "MEDIA" in given else data / "media"
    database = values["DATABASE_URL"] if "DATABASE_URL" in given else f"sqlite:///{data}/dramafeed.sqlite3"
    parts = urlsplit(base_url)
    private = values["ALLOW_PRIVATE_ADDRESSES"]
    domain = values["HANDLE_DOMAIN"] if "HANDLE_DOMAIN" in given else _domain(parts.netloc, private)
    listen = values["LISTEN"] if "LISTEN" in given else f"127.0.0.1:{_default_port(base_url)}"
    return Settings(
        base_url=base_url,
        content=Path(values["CONTENT"]).expanduser().absolute(),
        data=data,
        media=media,
        database_url=database,
        backups=_folder(values["BACKUPS"]) if "BACKUPS" in given else data / "backups",
        handle_domain=domain.lower(),
        listen=_listen(listen),
        allow_private_addresses=private,
        federate=values["FEDERATE"],
        hold_seconds=values["HOLD_SECONDS"],
        grace_seconds=values["GRACE_SECONDS"],
        quiet_seconds=values["QUIET_SECONDS"],
        well_known=values["WELL_KNOWN"],
        worker=values["WORKER"],
        hot=values["HOT"],
    )


def _folder(value: str) -> Path | None:
    return None if value.lower() in _FALSE else Path(value).expanduser().absolute()


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


def _base_url(value: str) -> str:
    """The canonical form; refused when it could not be one byte-stable address."""
    parts = urlsplit(value)
    problem = None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        problem = "must begin with https:// and a host name"
    elif parts.query or parts.fragment or parts.username or parts.password:
        problem = "must have no query, fragment, user or password"
    elif parts.netloc != parts.netloc.lower():
        problem = "must have its host name in lower case"
    elif (parts.scheme, parts.port) in (("https", 443), ("http", 80)):
        problem = "must not name the default port"
    elif "//" in parts.path or any(part in (".", "..") for part in parts.path.split("/")):
        problem = "must have a plain path"
    if problem:
        raise SettingsError(f"{PREFIX}BASE_URL is {value!r}; it {problem}, e.g. https://blog.example.")
    return value.rstrip("/")


def _domain(netloc: str, private: bool) -> str:
    # With private addresses "host" means authority with port everywhere, so that tests can follow.
    return netloc if private else netloc.rsplit(":", 1)[0] if not netloc.endswith("]") else netloc


def _default_port(base_url: str) -> int:
    parts = urlsplit(base_url)
    local = parts.hostname in ("127.0.0.1", "localhost", "::1")
    return parts.port if local and parts.port and parts.scheme == "http" else 8000


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 <= int(port) < 65536:
        raise SettingsError(f"{PREFIX}LISTEN is {value!r}; write address:port, e.g. 127.0.0.1:8000.")
    return value
