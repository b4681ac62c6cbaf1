"""The environment is read in one place, and every setting is explained."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic.fields import FieldInfo

from infrastructure.rpc.rate_class import REQUEST_BYTES_MAX
from localmesh.given_settings import StackSettings
from server.edge.settings import EdgeSettings
from server.settings.database import MigrationSettings, NamedDatabaseSettings
from server.settings.group import PREFIX, SettingsGroup
from server.settings.process import SecretsSettings
from tests.support.files import files_of, source_of, texts_of, tree_of
from tests.support.lints import assert_none

DOCUMENT = Path("docs/settings.md")
READERS = {
    # The settings of a command that starts, or asks a database.
    "server/commands/settings.py",
    # Finds the mesh that a command talks to.
    "server/commands/mesh.py",
    # Hand the environment on to the processes that they start.
    "localmesh/commands/up.py",
    "localmesh/demo/command.py",
    # Looks for Envoy on the path.
    "localmesh/parts/envoy.py",
}
GROUPS = (StackSettings, MigrationSettings)
"""All settings, each in one of them."""
OTHERS = {
    # The same settings for commands that need fewer, or do without.
    SecretsSettings,
    NamedDatabaseSettings,
    # Where Envoys are is said by options alone.
    EdgeSettings,
}
NAME = re.compile(rf"\b{PREFIX}[A-Z_]+[A-Z]\b")
ROOMS = ("localmesh", "server", "orchestration", "domains", "infrastructure", "vocabulary")


def asked_for() -> Mapping[str, str | None]:
    """Every setting of a group with its default as it is written; None when it must be given."""
    return {
        f"{PREFIX}{name.upper()}": None if field.is_required() else written(field)
        for group in GROUPS
        for name, field in group.model_fields.items()
    }


def written(field: FieldInfo) -> str:
    """The default as an operator would write it; nothing for what is empty or built in code."""
    return "" if field.default_factory is not None else str(field.default or "")


def groups_below(group: type[SettingsGroup]) -> Iterator[type[SettingsGroup]]:
    for each in group.__subclasses__():
        yield each
        yield from groups_below(each)


def sections() -> Mapping[str, str]:
    """What the document says of each setting."""
    text = source_of(DOCUMENT)
    parts = re.split(r"^#+ (.+)$", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def named_in_the_code() -> set[str]:
    """Every setting that the code names anywhere."""
    texts = (text for path in files_of(*ROOMS) for text in texts_of(path))
    return {name for text in texts for name in NAME.findall(text)}


def test_a_setting_is_explained() -> None:
    """An operator would have to read the code."""
    explained = sections()
    assert_none(
        f"{name}: none of {words}"
        for name, default in asked_for().items()
        for words in [words_for(default)]
        if not any(each in explained.get(name, "").lower() for each in words)
    )


def words_for(default: str | None) -> tuple[str, ...]:
    """What says so of a setting that has this default."""
    if default is None:
        return ("required",)
    if default == "":
        return ("default: none",)
    return (f"default `{default}`", f"`{default}` (default)")


def test_no_group_is_left_out() -> None:
    """Its settings would be explained nowhere."""
    looked_at = {each for group in GROUPS for each in group.mro()}
    assert set(groups_below(SettingsGroup)) - looked_at == OTHERS


def test_what_else_is_read_is_explained() -> None:
    """An operator would meet a variable that no page names."""
    assert named_in_the_code() <= set(sections())


def test_what_is_explained_is_read() -> None:
    """An operator would set what has no effect."""
    settings = {name for name in sections() if name.startswith(PREFIX)}
    assert settings <= named_in_the_code() | set(asked_for())


def test_nothing_else_reads_the_environment() -> None:
    """A process would behave in a way that its settings do not tell."""
    assert_none(
        f"{path}:{line}"
        for path in files_of(*ROOMS)
        if str(path) not in READERS
        for line in lines_that_read(path)
    )


def lines_that_read(path: Path) -> Iterator[int]:
    """Where a file reads the environment."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}:
            yield node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module == "os":
            yield from (node.lineno for each in node.names if each.name in {"environ", "getenv"})


def test_a_reader_still_reads() -> None:
    """The exception would cover what is written later."""
    assert_none(path for path in sorted(READERS) if "os.environ" not in source_of(Path(path)))


def test_the_limits_are_those_that_envoy_keeps() -> None:
    """A shop would be told that it may call more often than it may, or send more."""
    cells = r" \| ".join(r"([\d,]+)" for _ in range(5))
    rows = re.findall(rf"^\| (\w+) \| {cells} \|$", source_of(DOCUMENT), re.MULTILINE)
    told = {
        name.upper(): tuple(int(number.replace(",", "")) for number in numbers)
        for name, *numbers in rows
    }
    edge = EdgeSettings()
    kept = {
        rate_class.name: (
            limit.per_second,
            limit.burst,
            edge.address_rate_limit(rate_class).per_second,
            edge.address_rate_limit(rate_class).burst,
            REQUEST_BYTES_MAX[rate_class],
        )
        for rate_class, limit in edge.rate_limits.items()
    }
    assert told == kept
