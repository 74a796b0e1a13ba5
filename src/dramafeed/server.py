"""Processes: the web server, the worker, and the supervisor that `serve` is.

Will not publish, deliver or render: it starts what does, restarts what dies, and stops everything together.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from multiprocessing.process import BaseProcess

from dramafeed import __version__, doctor
from dramafeed.activitypub.reach import ANYWHERE, PUBLIC_ANY_PORT
from dramafeed.activitypub.transport import Transport, user_agent
from dramafeed.content import LibraryReader, Watcher
from dramafeed.doctor import Finding, Patient, look_inside, patient_of
from dramafeed.errors import DramafeedError, SettingsError, StorageError
from dramafeed.publishing.publisher import Publisher
from dramafeed.settings import Settings, build
from dramafeed.storage import Store
from dramafeed.storage.daily import DailyBackups
from dramafeed.storage.together import PLACES
from dramafeed.worker import PublishLoop, Worker

log = logging.getLogger("dramafeed")

_LOOK_EVERY = 0.25  # seconds between two looks of the publishing loop
_BACKUP_LOOK_EVERY = 30
_MANY_CHANGES = 500  # in one pass
_RESTART_PAUSE = 1.0
_STOP_SECONDS = 15
# Of the web server. One is fastest, but a reader would wait for whoever writes to the database.
_THREADS = PLACES + 1
WRONG_SETTINGS = 2  # the exit code that no restart mends


def make_publisher(
    settings: Settings, store: Store, *, settle_seconds: float = 2.0, watcher: Watcher | None = None
) -> Publisher:
    """The publisher of a site's content folder; a watcher knows what is in it at a lower price."""
    look = watcher.tree if watcher else None
    reader = LibraryReader(settings.content, settings.media, settle_seconds=settle_seconds, look=look)
    return Publisher(store, settings, reader)


def run_web(settings: Settings) -> None:
    """Serve the site over HTTP until stopped.

    Raises:
        SettingsError: the server package is not installed, or the port is taken.
    """
    _require_free(settings)
    try:
        from granian import Granian
        from granian.constants import HTTPModes, Interfaces, RuntimeModes
    except ImportError as error:
        raise SettingsError(
            "The web server is not installed; run `pip install dramafeed[server]`, or serve "
            "`dramafeed:create_app()` with any WSGI server."
        ) from error
    host, port = settings.listen_address
    Granian(
        "dramafeed.app:create_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        http=HTTPModes.http1,  # what proxies speak; browsers speak HTTP/2 to them
        runtime_mode=RuntimeModes.st,
        workers=1,
        blocking_threads=_THREADS,
        log_level="warning",  # type: ignore[arg-type]
        log_access=False,
    ).serve()


def run_worker(settings: Settings, *, publish: bool) -> None:
    """Deliver, process what came in, and (with `publish`) watch the content folder, until stopped."""
    store = Store(settings.database_url)
    if store.version() is None:
        store.create()
    store.require_current()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        work(settings, store, stop, publish=publish)
    finally:
        store.close()


def work(settings: Settings, store: Store, stop: threading.Event, *, publish: bool) -> None:
    """The worker's two halves: publishing in this thread's loop, deliveries in an event loop beside it."""
    failures: list[BaseException] = []

    def deliver() -> None:
        try:
            _guarded(_deliver, settings, store, stop)
        except BaseException as error:  # noqa: BLE001 - raised again below, in the thread that is waited for
            failures.append(error)
            stop.set()

    delivering = threading.Thread(target=deliver, name="dramafeed-deliveries", daemon=True)
    delivering.start()
    copying = threading.Thread(
        target=_guarded, args=(_back_up, settings, store, stop), name="dramafeed-backups", daemon=True
    )
    copying.start()
    if publish:
        _guarded(_publish, settings, store, stop)
    delivering.join()
    copying.join(_STOP_SECONDS / 3)  # half a copy is cleared away by the next one
    if failures:
        raise failures[0]  # half a worker is worse than none: whoever supervises starts a whole one


def start_worker_thread(settings: Settings, store: Store) -> threading.Event:
    """Work beside the web server of a host application; set the event to stop."""
    stop = threading.Event()
    threading.Thread(
        target=work,
        args=(settings, store, stop),
        kwargs={"publish": True},
        name="dramafeed-worker",
        daemon=True,
    ).start()
    return stop


def _guarded(
    part: Callable[[Settings, Store, threading.Event], None],
    settings: Settings,
    store: Store,
    stop: threading.Event,
) -> None:
    """Run one half until it ends by itself; trouble with disk or database is said, and tried again."""
    while not stop.is_set():
        try:
            part(settings, store, stop)
        except SettingsError:
            stop.set()
            raise
        except (DramafeedError, OSError) as error:
            log.error("%s", error)
            stop.wait(_RESTART_PAUSE)


def _publish(settings: Settings, store: Store, stop: threading.Event) -> None:
    watcher = Watcher(settings.content)
    loop = PublishLoop(store, make_publisher(settings, store, watcher=watcher), watcher)
    first = True
    try:
        while not stop.is_set():
            report = loop.step()
            if report is not None and (first or len(report.changes) > _MANY_CHANGES):
                first = False
                store.rest()
                _give_memory_back()
            stop.wait(_LOOK_EVERY)
    finally:
        loop.close()


def _give_memory_back() -> None:
    """Return what a large pass needed for a moment; glibc keeps it otherwise, other allocators do not."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _back_up(settings: Settings, store: Store, stop: threading.Event) -> None:
    backups = DailyBackups(store, settings.backups)
    while not stop.is_set():
        backups.step()
        stop.wait(_BACKUP_LOOK_EVERY)


def _deliver(settings: Settings, store: Store, stop: threading.Event) -> None:
    asyncio.run(_delivering(settings, store, stop))


async def _delivering(settings: Settings, store: Store, stop: threading.Event) -> None:
    stopped = asyncio.Event()
    async with Transport(
        user_agent=user_agent(__version__, settings.base_url),
        clock=lambda: datetime.now(UTC),
        allow_private=settings.allow_private_addresses,
    ) as door:
        worker = Worker(store, settings, door)
        running = asyncio.create_task(worker.run(stopped))
        while not (stop.is_set() or running.done()):  # noqa: ASYNC110 - a threading.Event cannot be awaited
            await asyncio.sleep(0.1)
        stopped.set()
        await running


# ---- doctor


def examine(settings: Settings, store: Store) -> list[Finding]:
    """Look at the site as a remote server would, and at what only its database tells."""
    found = asyncio.run(_examining(settings, patient_of(settings, store)))
    return found + look_inside(settings, store, datetime.now(UTC))


def examine_elsewhere(settings: Settings, url: str) -> list[Finding]:
    """Look at a site whose database is elsewhere.

    Raises:
        SettingsError: the address cannot be that of a site.
    """
    return asyncio.run(_examining(settings, Patient(build({"BASE_URL": url}).urls)))


async def _examining(settings: Settings, patient: Patient) -> list[Finding]:
    def clock() -> datetime:
        return datetime.now(UTC)

    agent = user_agent(__version__, settings.base_url)
    policy = ANYWHERE if patient.local else PUBLIC_ANY_PORT
    async with Transport(user_agent=agent, clock=clock, policy=policy) as door:
        return await doctor.examine(patient, door, clock)


# ---- serve


def supervise(settings: Settings, announce: Callable[[], None]) -> int:
    """Run one web process and one worker; restart what dies; stop both together.

    Args:
        settings: of all processes.
        announce: called once, when the site answers.

    Returns:
        The exit code: 2 when a child says that the settings are wrong.

    Raises:
        SettingsError: another program listens there.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _require_free(settings)
    runs: dict[str, Callable[[], None]] = {
        "web": partial(run_web, settings),
        "worker": partial(run_worker, settings, publish=True),
    }
    children = {name: _child(name, run) for name, run in runs.items()}
    announced = False
    try:
        while not stop.wait(0.2):
            for name, run in runs.items():
                code = children[name].exitcode
                if code == WRONG_SETTINGS:
                    return WRONG_SETTINGS
                if code is not None:
                    log.error("%s ended with code %s and is started again", name, code)
                    time.sleep(_RESTART_PAUSE)
                    children[name] = _child(name, run)
            if not announced and _is_ready(settings):
                announced = True
                announce()
        return 0
    finally:
        _end(list(children.values()))


def _require_free(settings: Settings) -> None:
    """Raise SettingsError when another program listens where we shall."""
    host, port = settings.listen_address
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SettingsError(
                f"{settings.listen} cannot be listened on ({error.strerror}); stop the program that has it, "
                "or set DRAMAFEED_BASE_URL (on this machine) or DRAMAFEED_LISTEN to another port."
            ) from error


def _child(name: str, run: Callable[[], None]) -> BaseProcess:
    """Start a process beside this one. Forked, it shares the memory of all that is imported already."""
    gc.collect()
    gc.freeze()  # a collection in a child must not touch, and so copy, what is shared
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_run, args=(run,), name=f"dramafeed-{name}")
    child.start()
    return child


def _run(run: Callable[[], None]) -> None:
    """What a child does; a mistake of a person's ends it as it ends the command."""
    os.setsid()  # Ctrl+C reaches the supervisor alone, which then stops the children in order
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    try:
        run()
    except DramafeedError as error:
        sys.stderr.write(f"dramafeed: {error}\n")
        sys.exit(WRONG_SETTINGS if isinstance(error, SettingsError) else 1)


def _is_ready(settings: Settings) -> bool:
    """True once the web server listens and the first pass is made."""
    store = Store(settings.database_url)
    try:
        if store.version() is None:
            return False
        with store.reading() as reading:
            published = bool(reading.meta.get("first_pass"))
    except StorageError:
        return False
    finally:
        store.close()
    if not published:
        return False
    try:
        socket.create_connection(settings.listen_address, timeout=1).close()
    except OSError:
        return False
    return True


def _end(children: list[BaseProcess]) -> None:
    for child in children:
        child.terminate()
    deadline = time.monotonic() + _STOP_SECONDS
    for child in children:
        child.join(max(0.1, deadline - time.monotonic()))
        if child.is_alive():
            child.kill()
            child.join()
