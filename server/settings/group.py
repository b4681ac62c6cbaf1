"""How a group of settings is read from the environment, and what is said of wrong ones."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar

from pydantic import BeforeValidator, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

PREFIX = "GUERDON_"


class SettingsError(Exception):
    """The environment is not usable. The message names every setting that is wrong."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(["These settings are missing or wrong:", *problems]))
        self.problems = problems


class SettingsGroup(BaseSettings):
    """Settings that belong together. Each is the variable of its name, in capitals.

    Nothing but `read` looks at the environment: a group that is made in code has what it is given.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        # Lists are written with commas, as their readers say, and not in JSON.
        enable_decoding=False,
        # They may be secrets.
        hide_input_in_errors=True,
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - as pydantic calls it
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the same
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


Group = TypeVar("Group", bound=SettingsGroup)


def read(group: type[Group], environment: Mapping[str, str]) -> Group:
    """Reads a group from variables that begin with `GUERDON_`.

    Raises:
        SettingsError: some are missing or wrong; it names all of them.
    """
    source = EnvSettingsSource(group)
    # By the name in small letters, as the source looks for it.
    source.env_vars = {name.lower(): text for name, text in environment.items() if name.isupper()}
    try:
        return group(**source())
    except ValidationError as wrong:
        problems = [_problem(each) for each in wrong.errors(include_url=False, include_input=False)]
    # Not while pydantic's words are handled: a trace would show them as well.
    raise SettingsError(problems)


def written(reader: Callable[[str], object]) -> BeforeValidator:
    """Has a field read from text by our reader, which raises ValueError with our words."""
    return BeforeValidator(lambda value: reader(value) if isinstance(value, str) else value)


def _problem(wrong: ErrorDetails) -> str:
    return f"  {PREFIX}{str(wrong['loc'][0]).upper()} {_sentence(wrong)}; see docs/settings.md"


def _sentence(wrong: ErrorDetails) -> str:
    if wrong["type"] == "missing":
        return "is missing"
    if wrong["type"] in {"enum", "literal_error"}:
        choices = re.findall("'([^']+)'", wrong["ctx"]["expected"])
        return f"must be one of: {', '.join(choices)}"
    return str(wrong["ctx"]["error"])
