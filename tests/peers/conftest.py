"""Fixtures: the product and the outside programs around it.

All tests of this folder carry the mark `peers`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.peers.dramafeed_site import Site
from tests.peers.fedify_follower import Follower
from tests.peers.newsboat import Newsboat
from tests.peers.nginx import Authority, Nginx, make_authority
from tests.peers.postgres import Cluster
from tests.peers.running import free_port

HERE = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.peers)


@pytest.fixture(scope="session", autouse=True)
def ended_in_order() -> Iterator[None]:
    """A run that is told to end (by a time limit, say) still ends the programs that it started."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """A certificate authority for this run."""
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def nginx(tmp_path_factory: pytest.TempPathFactory, authority: Authority) -> Iterator[Nginx]:
    """nginx: `nginx.front(port)` makes a plain loopback server reachable as https://localhost:OTHER."""
    with Nginx(tmp_path_factory.mktemp("nginx"), authority) as server:
        yield server


@pytest.fixture
def new_site(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Site]]:
    """Start a site: `new_site()` behind nginx with https, `new_site(https=False)` plain.

    Further words are settings without their prefix: `new_site(DATABASE_URL=...)`.
    """
    with ExitStack() as stack:
        made: list[Site] = []

        def make(*, https: bool = True, **settings: str) -> Site:
            folder = tmp_path / f"site{len(made) + 1}"
            folder.mkdir()
            port = free_port()
            base_url = ca = None
            if https:
                base_url = request.getfixturevalue("nginx").front(port)
                ca = request.getfixturevalue("authority").ca
            site = Site(folder, port=port, base_url=base_url, ca=ca, settings=settings)
            made.append(site)
            return stack.enter_context(site)

        yield make


@pytest.fixture
def site(new_site: Callable[..., Site]) -> Site:
    """A site behind nginx, with one author (mina) and one old review."""
    return new_site()


@pytest.fixture
def plain_site(new_site: Callable[..., Site]) -> Site:
    """The same without nginx, on http."""
    return new_site(https=False)


@pytest.fixture
def new_follower(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Follower]]:
    """Start a Fedify server with one person: `new_follower("ann")`, `new_follower(https=False)`.

    Further words become its environment (FIRST_KNOCK, NO_SHARED_INBOX).
    """
    with ExitStack() as stack:

        def make(name: str = "fan", *, https: bool = True, **env: str) -> Follower:
            port = free_port()
            origin, ca = f"http://localhost:{port}", None
            if https:
                origin = request.getfixturevalue("nginx").front(port)
                ca = request.getfixturevalue("authority").ca
            person = Follower(origin=origin, port=port, folder=tmp_path, name=name, ca=ca, env=env)
            return stack.enter_context(person)

        yield make


@pytest.fixture
def follower(new_follower: Callable[..., Follower]) -> Follower:
    """A person on a Fedify server behind nginx."""
    return new_follower()


@pytest.fixture(scope="session")
def postgres_cluster() -> Iterator[Cluster]:
    """A PostgreSQL server for this run."""
    with Cluster() as cluster:
        yield cluster


@pytest.fixture
def postgres(postgres_cluster: Cluster) -> Iterator[str]:
    """The URL of a fresh PostgreSQL database, fit for DATABASE_URL."""
    with postgres_cluster.database() as url:
        yield url


@pytest.fixture
def newsboat(tmp_path: Path) -> Callable[[Sequence[str]], Newsboat]:
    """A newsboat that has subscribed to some feeds: `newsboat([url, ...]).reload()`."""

    def make(feeds: Sequence[str]) -> Newsboat:
        folder = tmp_path / "newsboat"
        folder.mkdir()
        return Newsboat(folder, feeds)

    return make
