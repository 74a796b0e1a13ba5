"""The files of deploy/ agree with the code: settings, limits, commands. (`make peers` runs them.)"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from dramafeed.cli import dramafeed as commands
from dramafeed.content import load
from dramafeed.inbox.receive import MAX_BODY
from dramafeed.settings import TABLE, from_environment
from tests.fakes import NOON

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
UNITS = ("dramafeed", "dramafeed-web", "dramafeed-worker")


def text_of(name: str) -> str:
    return (DEPLOY / name).read_text(encoding="utf-8")


def compose(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(text_of(f"compose/{name}.yaml"))
    return found


def own(document: dict[str, Any]) -> dict[str, Any]:
    """The services that run dramafeed."""
    return {name: each for name, each in document["services"].items() if "build" in each}


def installed(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Let the install script write its files below a folder."""
    command = ["sh", str(DEPLOY / "install.sh"), "--root", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)


def settings_in(folder: Path) -> dict[str, str]:
    lines = (folder / "etc/dramafeed.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if not line.startswith("#"))


def test_two_answers_make_a_site(tmp_path: Path) -> None:
    """A domain and a name, with any characters in it, are all that the script needs."""
    name = 'Mina\'s "Subtitles": 100% \\o/ & #1'
    result = installed(tmp_path, "--domain", "kd.example", "--name", name)
    assert result.returncode == 0, result.stderr
    assert from_environment(settings_in(tmp_path)).base_url == "https://kd.example"
    library = load(tmp_path / "srv/dramafeed/content", tmp_path / "media", now=NOON)
    assert library.site is not None
    assert library.site.title == name
    assert "useradd --system" in result.stdout
    assert "certbot certonly" in result.stdout
    assert (tmp_path / "usr/local/bin/dramafeed").stat().st_mode & 0o777 == 0o755
    assert (tmp_path / "etc/dramafeed.env").stat().st_mode & 0o777 == 0o640


def test_running_it_again_keeps_what_people_changed(tmp_path: Path) -> None:
    """An upgrade asks nothing and changes neither settings nor texts; another domain is refused."""
    installed(tmp_path, "--domain", "kd.example", "--name", "First")
    for path in ("etc/dramafeed.env", "srv/dramafeed/content/site.yaml"):
        with (tmp_path / path).open("a", encoding="utf-8") as file:
            file.write("# mine\n")
    again = installed(tmp_path)
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "etc/dramafeed.env").read_text().endswith("# mine\n")
    assert (tmp_path / "srv/dramafeed/content/site.yaml").read_text().endswith("# mine\n")
    assert "dramafeed init" not in again.stdout
    other = installed(tmp_path, "--domain", "other.example")
    assert other.returncode == 1
    assert "followers know it by that name" in other.stderr


@pytest.mark.parametrize(
    "words, said",
    [
        (("--domain", "https://kd.example"), "is not a domain"),
        (("--domain", "KD.example"), "is not a domain"),
        (("--domain", "localhost"), "is not a domain"),
        (("--domain", "kd.example;id"), "is not a domain"),
        (("--domain", "kd.example", "--name", "A", "--proxy", "apache"), "--proxy is nginx or caddy"),
        (("--domian", "kd.example"), "--domian is not an option"),
        (("--domain",), "needs a value"),
    ],
)
def test_mistakes_are_refused_before_anything_is_done(
    tmp_path: Path, words: tuple[str, ...], said: str
) -> None:
    """One sentence, and nothing is written."""
    result = installed(tmp_path, *words)
    assert result.returncode == 1
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_settings_that_deploy_files_name_exist() -> None:
    """A renamed setting must be renamed here too."""
    known = {f"DRAMAFEED_{row.name}" for row in TABLE}
    for path in (path for path in DEPLOY.rglob("*") if path.is_file()):
        assert set(re.findall(r"\bDRAMAFEED_[A-Z_]+\b", path.read_text(encoding="utf-8"))) <= known, path.name


def test_proxies_take_what_the_site_takes() -> None:
    """The limit of an inbox is the same on both sides."""
    assert f"client_max_body_size {MAX_BODY // 1024}k;" in text_of("nginx/dramafeed.conf")
    assert f"max_size {MAX_BODY}" in text_of("caddy/Caddyfile")


@pytest.mark.parametrize("unit", UNITS)
def test_services_start_commands_that_exist(unit: str) -> None:
    """As their own user, and not again when settings are wrong."""
    text = text_of(f"systemd/{unit}.service")
    (line,) = re.findall(r"^ExecStart=/opt/dramafeed/.venv/bin/dramafeed (.*)$", text, flags=re.M)
    name, *options = line.split()
    assert set(options) <= {word for option in commands.commands[name].params for word in option.opts}
    for wanted in (
        "User=dramafeed",
        "RestartPreventExitStatus=2",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
    ):
        assert wanted in text


@pytest.mark.parametrize("name", ["sqlite", "postgres"])
def test_containers_have_no_more_rights_than_they_need(name: str) -> None:
    """Not root, a root file system that cannot be written, no capabilities; commands that exist."""
    document = compose(name)
    assert document["services"].keys() >= {"proxy"}
    for each in own(document).values():
        assert each["read_only"] is True
        assert each["cap_drop"] == ["ALL"]
        assert each["security_opt"] == ["no-new-privileges:true"]
        word, *options = each.get("command", ["serve"])
        assert set(options) <= {word for option in commands.commands[word].params for word in option.opts}
        context = (DEPLOY / "compose" / each["build"]["context"]).resolve()
        assert (context / each["build"]["dockerfile"]).is_file()
    for volume in document["services"]["proxy"]["volumes"]:
        if volume.startswith("."):
            assert (DEPLOY / "compose" / volume.split(":")[0]).is_file()
    image = text_of("compose/Dockerfile")
    assert re.findall(r"^USER (\w+)$", image, flags=re.M) == ["dramafeed"]
    for line in re.findall(r"^COPY (?!--from)(.+) \S+$", image, flags=re.M):
        assert all((ROOT / path).exists() for path in line.split())
        allowed = (ROOT / ".dockerignore").read_text(encoding="utf-8")
        assert all(f"!{path.split('/')[0]}\n" in allowed for path in line.split())


def test_only_one_container_publishes_and_several_can_serve() -> None:
    """With PostgreSQL the worker has the texts; the web containers only read the pictures."""
    services = own(compose("postgres"))
    assert services["worker"]["command"] == ["worker", "--publish"]
    assert services["web"]["volumes"] == ["state:/var/lib/dramafeed:ro"]
    assert all("DRAMAFEED_DATABASE_URL" in each["environment"] for each in services.values())
