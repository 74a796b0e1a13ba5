"""Whether this site may speak to other servers, and under which address."""

from __future__ import annotations

from dramafeed.errors import SettingsError
from dramafeed.settings import Settings
from dramafeed.storage import Reading, Transaction


def is_open(tx: Reading, settings: Settings) -> bool:
    """True when items may be told to followers.

    A public site waits until its address was checked from outside (or FEDERATE=yes); a local one speaks only
    with ALLOW_PRIVATE_ADDRESSES, because nothing else could be reached. Lost keys close the gate.
    """
    return not closed_because(tx, settings)


def closed_because(tx: Reading, settings: Settings) -> str:
    """Why nothing is told to other servers, with the cure; "" when the gate is open."""
    if tx.meta.get("keys_lost"):
        return (
            "The actors' keys are gone, so followers would refuse what this site sends; run `dramafeed "
            "restore` with a backup, or `dramafeed keys new --i-lost-them`."
        )
    if settings.federate == "no":
        return "DRAMAFEED_FEDERATE is no."
    if not settings.public:
        if settings.allow_private_addresses:
            return ""
        return "The site has a local address, which other servers cannot reach."
    if settings.federate == "yes" or tx.meta.get("doctor_passed") == settings.base_url:
        return ""
    return (
        f"Run `dramafeed doctor` once {settings.base_url} answers from outside; until it has passed, reviews "
        "count as archive, and follows wait."
    )


def open_for(tx: Transaction, settings: Settings) -> None:
    """`doctor` found nothing wrong with the public address."""
    tx.meta.put("doctor_passed", settings.base_url)


def check_address(tx: Transaction, settings: Settings) -> None:
    """Keep BASE_URL and HANDLE_DOMAIN as followers know them.

    Raises:
        SettingsError: one of them changed after the first follower was accepted.
    """
    for key, name, value in (
        ("base_url", "BASE_URL", settings.base_url),
        ("handle_domain", "HANDLE_DOMAIN", settings.handle_domain),
    ):
        known = tx.meta.get(key)
        if known and known != value and tx.meta.get("first_follower"):
            raise SettingsError(
                f"DRAMAFEED_{name} is {value}, but followers know this site as {known}; set it back "
                "(moving a site with its followers is not possible yet)."
            )
        if known != value:
            tx.meta.put(key, value)
