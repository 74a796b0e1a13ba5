"""The Flask edge: five lines mount it, a prefix keeps it apart, two applications leave each other alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from flask import Flask

from dramafeed import Dramafeed, DramafeedError, create_app
from dramafeed.errors import SettingsError
from dramafeed.settings import build
from tests.site import Site


def _host(folder: Path, base_url: str = "https://host.example/drama") -> Flask:
    app = Flask("host", instance_path=str(folder / "instance"))
    app.config.update(DRAMAFEED_BASE_URL=base_url, DRAMAFEED_CONTENT=str(folder / "content"))

    @app.get("/")
    def home() -> str:
        return "the host's own page"

    @app.get("/about/")
    def about() -> str:
        return "the host's own about"

    Dramafeed(app)
    return app


def test_five_lines_mount_the_extension_under_a_prefix(tmp_path: Path) -> None:
    """The host keeps its routes; everything of ours lives below the prefix, discovery at the root."""
    http = _host(tmp_path).test_client()
    assert http.get("/").text == "the host's own page"
    assert http.get("/about/").text == "the host's own about"
    assert http.get("/drama/").status_code == 200
    assert http.get("/drama/feed.xml").status_code == 200
    assert http.get("/feed.xml").status_code == 404
    assert (
        http.get("/.well-known/nodeinfo")
        .get_json()["links"][0]["href"]
        .startswith("https://host.example/drama/")
    )
    assert (tmp_path / "instance/dramafeed/dramafeed.sqlite3").exists()


def test_the_hosts_own_errors_stay_its_own(tmp_path: Path) -> None:
    """A path outside the prefix gets the host's 404, not ours."""
    app = _host(tmp_path)
    app.register_error_handler(404, lambda _error: ("host says no", 404))
    assert app.test_client().get("/nowhere").text == "host says no"


def test_two_applications_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Two apps in one process serve two folders from two databases."""
    one, two = (Site(tmp_path / name, BASE_URL=f"https://{name}.example") for name in ("one", "two"))
    try:
        for site, title in ((one, "First"), (two, "Second")):
            site.author()
            site.review("same", f"Text of {title}.", title=title)
            site.run(5)
        assert one.titles() == ["First"]
        assert two.titles() == ["Second"]
        assert one.document("/ap/actors/mina")["id"] == "https://one.example/ap/actors/mina"
        assert two.document("/ap/actors/mina")["publicKey"] != one.document("/ap/actors/mina")["publicKey"]
    finally:
        one.close()
        two.close()


def test_a_second_mount_in_one_application_is_refused(tmp_path: Path) -> None:
    """One Flask application carries one site."""
    app = _host(tmp_path)
    with pytest.raises(SettingsError, match="one per application"):
        Dramafeed(app)


def test_a_prefix_that_contradicts_base_url_is_refused(tmp_path: Path) -> None:
    """Ids come from BASE_URL, so the mount point must agree with it."""
    app = Flask("host", instance_path=str(tmp_path))
    app.config["DRAMAFEED_BASE_URL"] = "https://host.example/drama"
    with pytest.raises(SettingsError, match="BASE_URL ends in"):
        Dramafeed().init_app(app, url_prefix="/blog")


@pytest.mark.parametrize(
    "name, value, says",
    [
        ("BASE_URL", "blog.example", "must begin with https://"),
        ("BASE_URL", "https://Blog.example", "lower case"),
        ("BASE_URL", "https://blog.example:443", "default port"),
        ("HOLD_SECONDS", "soon", "whole number of seconds"),
        ("FEDERATE", "maybe", "auto or yes or no"),
        ("LISTEN", "8000", "address:port"),
        ("ALLOW_PRIVATE_ADDRESSES", "perhaps", "yes or no"),
        ("BASE_URI", "x", "not a setting"),
    ],
)
def test_a_wrong_setting_is_named_with_its_cure(name: str, value: str, says: str) -> None:
    """Settings fail at set-up, in one sentence."""
    with pytest.raises(DramafeedError, match=says) as caught:
        build({name: value})
    assert f"DRAMAFEED_{name}" in str(caught.value)


def test_the_standalone_site_answers_health_checks(tmp_path: Path) -> None:
    """`/healthz` says that the process lives, `/readyz` waits for the first pass."""
    http = create_app(build({"DATA": str(tmp_path / "var"), "CONTENT": str(tmp_path)})).test_client()
    assert http.get("/healthz").text == "ok\n"
    assert http.get("/readyz").status_code == 503


def test_a_database_of_another_release_is_503_that_names_migrate(site: Site) -> None:
    """A web process never changes an existing schema; it says what to run."""
    with site.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE dramafeed_version SET version_num = '0000'")
    site.restart()
    response = site.get("/ap/actors/mina")
    assert response.status_code == 503


def test_the_commands_are_there_as_flask_dramafeed(tmp_path: Path) -> None:
    """Inside a host application the same commands read the host's settings."""
    result = _host(tmp_path).test_cli_runner().invoke(args=["dramafeed", "status"])
    assert result.exit_code == 0, result.output
    assert "Reviews: 0 public" in result.output
