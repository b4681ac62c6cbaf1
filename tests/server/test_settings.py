"""What a process is told from outside is checked before anything starts."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from dataclasses import fields
from datetime import timedelta
from typing import Any

import pytest

from server.header_names import read_header_names
from server.settings import Settings, SettingsError, Stage, checked_database_url, read_settings

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
    return read_settings(REQUIRED | {f"GUERDON_{name}": text for name, text in changed.items()})


def problems_of(environment: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        read_settings(environment)
    assert all(problem in str(refused.value) for problem in refused.value.problems)
    return refused.value.problems


def test_with_what_is_required_the_rest_has_defaults() -> None:
    """An operator would have to set what nobody cares about."""
    assert read() == Settings(
        database_url=REQUIRED["GUERDON_DATABASE_URL"],
        database_pool_size=8,
        service_token=TOKEN,
        secrets_keys=(KEY,),
        stage=Stage.DEVELOPMENT,
        listen_host="127.0.0.1",
        listen_port=50051,
        drain_seconds=2.5,
        client_id_headers=(),
        accepts_referrer_client_ids=False,
        rate_age_max=timedelta(days=7),
        event_loop="uvloop",
        log_level="info",
        log_format="json",
    )


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("DATABASE_POOL_SIZE", "1", "database_pool_size", 1),
        ("DATABASE_POOL_SIZE", "100", "database_pool_size", 100),
        ("ACCEPT_REFERRER_CLIENT_IDS", "no", "accepts_referrer_client_ids", False),
        ("ACCEPT_REFERRER_CLIENT_IDS", "yes", "accepts_referrer_client_ids", True),
        ("RATE_AGE_MAX_HOURS", "24", "rate_age_max", timedelta(days=1)),
        ("SECRETS_KEY", f"{KEY}, {OTHER_KEY},", "secrets_keys", (KEY, OTHER_KEY)),
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
    assert read_settings(REQUIRED | {"STAGE": "production", "LISTEN_PORT": "1"}) == read()


def test_every_setting_is_frozen() -> None:
    """A part of the process could change what another part was told."""
    settings = read()
    for field in fields(Settings):
        with pytest.raises(AttributeError):
            setattr(settings, field.name, None)


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
        checked_database_url(f"postgresql+asyncpg://guerdon:{rest}")

    assert "SECRET" not in str(raised.value)
    assert raised.value.__cause__ is None or "SECRET" not in str(raised.value.__cause__)


def test_an_address_of_a_database_may_say_how_it_is_encrypted() -> None:
    """TLS could not be asked for."""
    url = "postgresql+asyncpg://guerdon:p%40ss@db.example:5432/guerdon?ssl=verify-full"
    assert checked_database_url(url) == url
