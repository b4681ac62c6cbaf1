"""Envoy, as `guerdon up` configures it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from localmesh.given_settings import WrongSettingsError, read_given
from localmesh.parts.envoy import PublicEnvoy
from localmesh.parts.part import PartContext
from server.edge.settings import EdgeSettings

PORTS = {"envoy-public": 8080, "envoy-mesh": 8081, "postgres": 5432, "serve-1": 50051}


def write(folder: Path, **environment: str) -> str:
    """The configuration of the listener for the world."""
    envoy = PublicEnvoy(edge=read_given(environment), servers=["serve-1"], port=None)
    asyncio.run(envoy.prepare(PartContext(folder=folder, ports=PORTS, environment={})))
    return (folder / "envoy" / "public.json").read_text()


@pytest.mark.parametrize(
    "origin",
    [
        "dash.example",
        "https://dash.example/",
        "https://dash.example/app",
        "*",
        "https://*.dash.example",
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(tmp_path: Path, origin: str) -> None:
    """A dashboard would be locked out, and its operator not know why."""
    with pytest.raises(WrongSettingsError, match="GUERDON_DASHBOARD_ORIGINS"):
        write(tmp_path, GUERDON_DASHBOARD_ORIGINS=f"https://fine.example,{origin}")


def test_origins_reach_envoy(tmp_path: Path) -> None:
    """No dashboard could call from its own pages."""
    bootstrap = write(
        tmp_path,
        GUERDON_DASHBOARD_ORIGINS=" https://a.example, http://localhost:3000 ",
    )
    assert "https://a.example" in bootstrap
    assert "http://localhost:3000" in bootstrap


def test_limits_and_trusted_proxies_reach_envoy(tmp_path: Path) -> None:
    """An operator would set what has no effect."""
    text = write(
        tmp_path,
        GUERDON_RATE_LIMITS="probe=71/142",
        GUERDON_ADDRESS_RATE_LIMITS="webhook=333/666",
        GUERDON_TRUSTED_HOPS="2",
    )

    for bucket in ((71, 142), (7, 7), (333, 666)):
        assert f'"maxTokens": {bucket[1]},\n' in text
        assert f'"tokensPerFill": {bucket[0]},\n' in text
    assert '"xffNumTrustedHops": 2' in text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GUERDON_RATE_LIMITS", "probe=fast"),
        ("GUERDON_ADDRESS_RATE_LIMITS", "everything=1/1"),
        ("GUERDON_TRUSTED_HOPS", "all"),
    ],
)
def test_a_limit_that_is_none_is_refused_by_name(tmp_path: Path, name: str, value: str) -> None:
    """The stack would start without the limit that its operator believes in."""
    with pytest.raises(WrongSettingsError, match=f"{name} {value.split('=', maxsplit=1)[0]}"):
        write(tmp_path, **{name: value})


def test_all_that_is_wrong_is_told_at_once() -> None:
    """An operator would start the stack as often as settings are wrong."""
    environment = {"GUERDON_RATE_LIMITS": "fast", "GUERDON_TRUSTED_HOPS": "all"}

    with pytest.raises(WrongSettingsError) as told:
        read_given(environment)

    assert all(name in str(told.value) for name in environment)


def test_settings_of_the_servers_are_looked_at_as_well() -> None:
    """A database would be made before it is said that no server can start on it."""
    empty = {"GUERDON_SERVICE_TOKEN": "", "GUERDON_SECRETS_KEY": "", "GUERDON_DATABASE_URL": ""}
    assert read_given(empty) == EdgeSettings()
    wrong = {
        "GUERDON_DATABASE_POOL_SIZE": "0",
        "GUERDON_DATABASE_URL": "mysql://guerdon:no-key@localhost/guerdon",
        "GUERDON_LOG_LEVEL": "loud",
        "GUERDON_SERVICE_TOKEN": "with an umlaut, which no header has: ä",
        "GUERDON_SECRETS_KEY": "no-key",
        "GUERDON_CLIENT_ID_HEADERS": "x y",
        "GUERDON_TRUSTED_HOPS": "all",
    }

    with pytest.raises(WrongSettingsError) as told:
        read_given(wrong)

    assert [str(told.value).count(name) for name in wrong] == [1] * len(wrong)
    assert "no-key" not in str(told.value)
