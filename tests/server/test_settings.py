"""What a process is told from outside is checked before anything starts."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.edge.settings import EdgeChoices
from server.header_names import read_header_names
from server.settings.database import DatabaseSettings, MigrationSettings, NamedDatabaseSettings
from server.settings.group import Group, SettingsError
from server.settings.group import read as read_group
from server.settings.process import RateSettings, SecretsSettings, Settings, Stage

# Of no use to anybody, and the same in every process that runs the tests.
KEY = urlsafe_b64encode(bytes(range(32))).decode()
OTHER_KEY = urlsafe_b64encode(bytes(range(32, 64))).decode()
TOKEN = "t" * 32
REQUIRED = {
    "GUERDON_DATABASE_URL": "postgresql+asyncpg://user:whispered@localhost/mesh",
    "GUERDON_SERVICE_TOKEN": TOKEN,
    "GUERDON_SECRETS_KEY": KEY,
}


def read(**changed: str) -> Settings:
    return read_group(
        Settings, REQUIRED | {f"GUERDON_{name}": text for name, text in changed.items()}
    )


def database_url(text: str) -> str:
    """The address as commands read it that need no more."""
    read_too = read_group(NamedDatabaseSettings, {"GUERDON_DATABASE_URL": text})
    settings = read_group(DatabaseSettings, {"GUERDON_DATABASE_URL": text})
    assert settings.database_url == read_too.database_url
    return settings.database_url.get_secret_value()


def problems_of(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read_group(Settings, environment)
    assert all(problem in str(refused.value) for problem in refused.value.problems)
    return refused.value.problems


def test_with_what_is_required_the_rest_has_defaults() -> None:
    """An operator would have to set what nobody cares about."""
    settings = read()

    assert settings.database_url.get_secret_value() == REQUIRED["GUERDON_DATABASE_URL"]
    assert settings.service_token.get_secret_value() == TOKEN
    assert settings.sealing_keys == (KEY,)
    required = {"database_url", "service_token", "secrets_key"}
    assert settings.model_dump(exclude=required) == {
        "database_pool_size": 8,
        "client_id_headers": (),
        "rate_age_max_hours": 168,
        "stage": Stage.DEVELOPMENT,
        "accept_referrer_client_ids": "no",
        "listen_host": "127.0.0.1",
        "listen_port": 50051,
        "drain_seconds": 2.5,
        "event_loop": "uvloop",
        "log_level": "info",
        "log_format": "json",
    }
    assert settings.rate_age_max == timedelta(days=7)
    assert not settings.accepts_referrer_client_ids


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DATABASE_POOL_SIZE", "1", "database_pool_size", 1),
        ("DATABASE_POOL_SIZE", "100", "database_pool_size", 100),
        ("ACCEPT_REFERRER_CLIENT_IDS", "no", "accepts_referrer_client_ids", False),
        ("ACCEPT_REFERRER_CLIENT_IDS", "yes", "accepts_referrer_client_ids", True),
        ("RATE_AGE_MAX_HOURS", "24", "rate_age_max", timedelta(days=1)),
        ("SECRETS_KEY", f"{KEY}, {OTHER_KEY},", "sealing_keys", (KEY, OTHER_KEY)),
        ("STAGE", "production", "stage", Stage.PRODUCTION),
        ("LISTEN_HOST", "0.0.0.0", "listen_host", "0.0.0.0"),  # every address, on purpose
        ("LISTEN_PORT", "0", "listen_port", 0),
        ("LISTEN_PORT", "65535", "listen_port", 65535),
        ("DRAIN_SECONDS", "0", "drain_seconds", 0.0),
        ("DRAIN_SECONDS", "60", "drain_seconds", 60.0),
        ("CLIENT_ID_HEADERS", " X-Visitor ,x-old", "client_id_headers", ("x-visitor", "x-old")),
        ("EVENT_LOOP", "asyncio", "event_loop", "asyncio"),
        ("LOG_LEVEL", "debug", "log_level", "debug"),
        ("LOG_FORMAT", "console", "log_format", "console"),
    ],
)
def test_a_setting_is_read(name: str, text: str, field: str, value: Any) -> None:
    """An operator's choice would be passed over."""
    assert getattr(read(**{name: text}), field) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DATABASE_URL", ""),
        ("DATABASE_URL", "postgresql://user:whispered@localhost/mesh"),
        ("DATABASE_POOL_SIZE", "0"),
        ("DATABASE_POOL_SIZE", "101"),
        ("DATABASE_POOL_SIZE", "-1"),
        ("DATABASE_POOL_SIZE", "many"),
        ("DATABASE_POOL_SIZE", ""),
        ("SERVICE_TOKEN", ""),
        ("SERVICE_TOKEN", "whispered-but-too-short"),
        ("SERVICE_TOKEN", "long enough, but with spaces that a header loses"),
        ("SERVICE_TOKEN", "long-enough-but-with-an-umläut-that-no-header-has"),
        ("SECRETS_KEY", ""),
        ("SECRETS_KEY", ","),
        ("SECRETS_KEY", f"{KEY},whispered"),
        ("SECRETS_KEY", ",".join([KEY] * 5)),
        ("DATABASE_URL", "postgresql+asyncpg://user@localhost/mesh?ssl=whispered"),
        ("STAGE", "Production"),
        ("LISTEN_PORT", "65536"),
        ("LISTEN_PORT", "50051.0"),
        ("DRAIN_SECONDS", "-0.1"),
        ("DRAIN_SECONDS", "61"),
        ("DRAIN_SECONDS", "nan"),
        ("DRAIN_SECONDS", "soon"),
        ("ACCEPT_REFERRER_CLIENT_IDS", "true"),
        ("EVENT_LOOP", "trio"),
        ("LOG_LEVEL", "INFO"),
        ("LOG_FORMAT", "xml"),
    ],
)
def test_a_wrong_setting_is_refused_by_name_and_without_its_value(name: str, text: str) -> None:
    """A process would run in a way that nobody chose, or write a secret where logs are kept."""
    [problem] = problems_of(REQUIRED | {f"GUERDON_{name}": text})
    assert f"GUERDON_{name} " in problem
    assert "docs/settings.md" in problem
    assert "whispered" not in problem


def test_all_problems_are_reported_together() -> None:
    """An operator would mend one setting after the other, with a start between them."""
    problems = problems_of({"GUERDON_LISTEN_PORT": "99999", "GUERDON_STAGE": "trial"})
    named = [problem.split()[0] for problem in problems]
    assert named == [*REQUIRED, "GUERDON_STAGE", "GUERDON_LISTEN_PORT"]


def test_no_setting_is_read_under_another_prefix() -> None:
    """Another product's variable would change what this one does."""
    others = {"STAGE": "production", "LISTEN_PORT": "1", "guerdon_stage": "production"}
    assert read_group(Settings, REQUIRED | others) == read()


def test_a_group_that_is_made_in_code_reads_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """`guerdon envoy configure` reads its options alone; a variable would change what it writes."""
    monkeypatch.setenv("GUERDON_TRUSTED_HOPS", "3")
    assert EdgeChoices().trusted_hops == 0


def test_no_file_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies in the folder that a process is started in would change what it does."""
    (tmp_path / ".env").write_text("GUERDON_STAGE=production\n")
    monkeypatch.chdir(tmp_path)
    assert read() == read(STAGE="development")


@pytest.mark.parametrize("group", [DatabaseSettings, MigrationSettings, SecretsSettings])
def test_a_command_reads_no_more_than_it_needs(group: type[Group]) -> None:
    """`guerdon migrate` would be refused for what only a server has to know."""
    needed = {name: text for name, text in REQUIRED.items() if name != "GUERDON_SERVICE_TOKEN"}
    wrong = {"GUERDON_LISTEN_PORT": "none", "GUERDON_DATABASE_POOL_SIZE": "0"}
    assert read_group(group, needed | wrong) == read_group(group, needed)


def test_what_only_says_what_else_is_used_may_be_empty() -> None:
    """`guerdon status` would refuse an empty variable in place of asking the stack of its host."""
    assert read_group(NamedDatabaseSettings, {"GUERDON_DATABASE_URL": ""}).database_url is None
    assert read_group(NamedDatabaseSettings, {}).database_url is None
    assert read_group(RateSettings, {}).rate_age_max == timedelta(days=7)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("LISTEN_PORT", "x", "must be a whole number from 0 to 65535"),
        ("LOG_LEVEL", "loud", "must be one of: debug, info, warning"),
        ("STAGE", "trial", "must be one of: development, production"),
        ("SERVICE_TOKEN", "x", "must have at least 32 characters"),
    ],
)
def test_a_wrong_setting_is_explained_in_our_words(name: str, text: str, says: str) -> None:
    """A library's words name its own types, and a page about them."""
    [problem] = problems_of(REQUIRED | {f"GUERDON_{name}": text})
    assert problem == f"  GUERDON_{name} {says}; see docs/settings.md"


def test_no_secret_is_shown() -> None:
    """A trace or a log line would hold what everything is protected with."""
    shown = f"{read()!r} {read()}"
    assert not [text for text in (*REQUIRED.values(), "whispered") if text in shown]


def test_every_setting_is_frozen() -> None:
    """A part of the process could change what another part was told."""
    settings = read()
    for name in Settings.model_fields:
        with pytest.raises(ValidationError, match="frozen"):
            setattr(settings, name, None)


@pytest.mark.parametrize(
    "names",
    [
        "x y",
        "x-foo:",
        "ä",
        "host",
        "Grpc-Timeout",
        "x-service-auth",
        "x-old-bin",
        "priority",
        "dnt",
    ],
)
def test_a_header_that_cannot_carry_a_client_id_is_refused(names: str) -> None:
    """Every browser would be one visitor, or the proof of a service be taken for a visitor's."""
    with pytest.raises(ValueError, match=r"which (is no name|means something else)"):
        read_header_names(f"x-fine, {names}")


def test_names_of_headers_are_read_in_small_letters() -> None:
    """Headers have no large ones over HTTP/2."""
    assert read_header_names(" X-Visitor,, x-other ") == ("x-visitor", "x-other")


@pytest.mark.parametrize(
    "rest", ["x@x:SECRET@127.0.0.1:5/g", "SECRET@h:abc/g", "SECRET@h/g?sslmode=require", "SECRET@"]
)
def test_an_address_of_a_database_that_is_none_is_refused_without_its_password(rest: str) -> None:
    """The parser's own words, in a trace, quote a part of it."""
    with pytest.raises(SettingsError, match="GUERDON_DATABASE_URL") as raised:
        database_url(f"postgresql+asyncpg://guerdon:{rest}")

    assert "SECRET" not in str(raised.value)
    assert raised.value.__cause__ is raised.value.__context__ is None


def test_an_address_of_a_database_may_say_how_it_is_encrypted() -> None:
    """TLS could not be asked for."""
    url = "postgresql+asyncpg://guerdon:p%40ss@db.example:5432/guerdon?ssl=verify-full"
    assert database_url(url) == url
