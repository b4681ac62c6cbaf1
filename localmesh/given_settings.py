"""What a person has set for a stack, looked at before any part is started."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

from cryptography.fernet import Fernet

from localmesh.errors import StackError
from server.edge.settings import EdgeSettings, default_rate_limits
from server.edge.written_settings import read_origins, read_rate_limits, read_trusted_hops
from server.header_names import read_header_names
from server.settings import SettingsError, read_settings

_Value = TypeVar("_Value")


class WrongSettingsError(StackError):
    """Settings of the environment are wrong. The message names all of them."""


def read_given(environment: Mapping[str, str]) -> EdgeSettings:
    """What an operator may choose about Envoy by the environment; addresses are the usual ones.

    What the server processes will read is looked at as well, but for what the stack decides.

    Raises:
        WrongSettingsError: parts of the stack would not start.
    """
    given = _Given(environment)
    edge = _edge_settings(given)
    problems = [*_problems_of_servers(environment), *given.problems]
    if problems:
        # Both read the names of headers.
        raise WrongSettingsError(str(SettingsError(list(dict.fromkeys(problems)))))
    return edge


def _problems_of_servers(environment: Mapping[str, str]) -> list[str]:
    decided = {"GUERDON_LISTEN_HOST": "127.0.0.1", "GUERDON_LISTEN_PORT": "50051"}
    made = {
        "GUERDON_DATABASE_URL": "postgresql+asyncpg://localhost/guerdon",
        "GUERDON_SERVICE_TOKEN": "made-once-and-kept-in-the-folder-of-the-stack",
        "GUERDON_SECRETS_KEY": Fernet.generate_key().decode(),
    }
    given = {name: value for name, value in environment.items() if value or name not in made}
    try:
        read_settings({**made, **given, **decided})
    except SettingsError as problem:
        return problem.problems
    return []


def _edge_settings(given: _Given) -> EdgeSettings:
    rate_limits = given.read("GUERDON_RATE_LIMITS", read_rate_limits)
    address_rate_limits = given.read("GUERDON_ADDRESS_RATE_LIMITS", read_rate_limits)
    trusted_hop_count = given.read("GUERDON_TRUSTED_HOPS", read_trusted_hops)
    dashboard_origins = given.read("GUERDON_DASHBOARD_ORIGINS", read_origins)
    client_id_headers = given.read("GUERDON_CLIENT_ID_HEADERS", read_header_names)
    if given.problems:
        return EdgeSettings()
    return EdgeSettings(
        rate_limits={**default_rate_limits(), **rate_limits},
        address_rate_limits=address_rate_limits,
        trusted_hop_count=trusted_hop_count,
        dashboard_origins=dashboard_origins,
        client_id_headers=client_id_headers,
    )


class _Given:
    """Settings of the environment. What is wrong with one is told with its name."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[str] = []

    def read(self, name: str, reader: Callable[[str], _Value]) -> _Value:
        try:
            return reader(self._environment.get(name, ""))
        except ValueError as problem:
            self.problems.append(f"  {name} {problem}; see docs/settings.md")
            return None  # type: ignore[return-value]  # never used: problems are raised
