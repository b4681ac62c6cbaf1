"""What a person has set for a stack, looked at before any part is started."""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.fernet import Fernet

from localmesh.errors import StackError
from server.edge.settings import EdgeChoices, EdgeSettings
from server.settings.group import SettingsError, read
from server.settings.process import Settings


class WrongSettingsError(StackError):
    """Settings of the environment are wrong. The message names all of them."""


class StackSettings(EdgeChoices, Settings):
    """Settings of all parts of a stack: the server processes, and Envoy."""


def read_given(environment: Mapping[str, str]) -> EdgeSettings:
    """What an operator may choose about Envoy by the environment; addresses are the usual ones.

    What the server processes will read is looked at as well, but for what the stack decides.

    Raises:
        WrongSettingsError: parts of the stack would not start.
    """
    decided = {"GUERDON_LISTEN_HOST": "127.0.0.1", "GUERDON_LISTEN_PORT": "50051"}
    made = {
        "GUERDON_DATABASE_URL": "postgresql+asyncpg://localhost/guerdon",
        "GUERDON_SERVICE_TOKEN": "made-once-and-kept-in-the-folder-of-the-stack",
        "GUERDON_SECRETS_KEY": Fernet.generate_key().decode(),
    }
    given = {name: value for name, value in environment.items() if value or name not in made}
    try:
        settings = read(StackSettings, {**made, **given, **decided})
    except SettingsError as problem:
        raise WrongSettingsError(str(problem)) from problem
    return EdgeSettings(**{name: getattr(settings, name) for name in EdgeChoices.model_fields})
