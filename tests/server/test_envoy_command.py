"""`guerdon envoy configure` as an operator types it."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from server.__main__ import main
from server.commands.envoy import configure
from server.edge.command_line import envoy_options
from server.edge.settings import CONTRACT_COPY, EdgeChoices
from tests.support.files import source_of

SERVER = ("--server", "10.0.0.7:50051")
OPERATING = Path("docs/operating.md")


def typed(folder: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["envoy", "configure", str(folder), *words])


def written(folder: Path, *words: str) -> list[dict[str, Any]]:
    """The configurations that are written, for the world and for the mesh."""
    result = typed(folder, *words)
    assert result.exit_code == 0, result.output
    return [json.loads((folder / f"{name}.json").read_text()) for name in ("public", "mesh")]


def address_of(content: dict[str, Any]) -> tuple[str, int]:
    [listener] = content["staticResources"]["listeners"]
    address = listener["address"]["socketAddress"]
    return address["address"], address["portValue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usual:
    """What is written and said when nothing but a server is named."""

    folder: Path
    contents: list[dict[str, Any]]
    said: str


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> Usual:
    """Writing takes seconds, so it is done once. Over what another version has left."""
    folder = tmp_path_factory.mktemp("usual") / "new" / "folder"
    folder.mkdir(parents=True)
    (folder / "edge.binpb").write_bytes(b"yesterday's")
    (folder / "public.json").write_bytes(b"yesterday's")
    result = typed(folder, *SERVER)
    assert result.exit_code == 0, result.output
    contents = [json.loads((folder / f"{name}.json").read_text()) for name in ("public", "mesh")]
    return Usual(folder=folder, contents=contents, said=result.output)


def test_all_files_are_written_and_name_the_contract(usual: Usual) -> None:
    """Envoy would be started in a folder where it does not find the contract, or with yesterday's;
    or an upgrade would leave drafts behind.
    """
    folder, contents = usual.folder, usual.contents

    names = {path.name for path in folder.iterdir()}
    assert names == {"public.json", "mesh.json", "edge.binpb"}
    assert (folder / "edge.binpb").read_bytes() == CONTRACT_COPY.read_bytes()
    assert [address_of(each) for each in contents] == [("127.0.0.1", 8080), ("127.0.0.1", 8081)]
    for content in contents:
        assert str(folder / "edge.binpb") in json.dumps(content)
        assert "admin" not in content


def test_what_is_chosen_reaches_envoy(tmp_path: Path) -> None:
    """An operator would set what has no effect."""
    folder = tmp_path / "new" / "folder"
    contents = written(
        folder,
        *("--server", "serve-1.internal:50051", "--server", "[fd00::7]:50052"),
        *("--public", "0.0.0.0:443", "--mesh", "[fd00::5]:8444"),
        *("--admin-folder", "/run/envoy", "--descriptors", "contract/edge.binpb"),
        *("--rate-limits", "probe=71/142", "--address-rate-limits", "webhook=333/666"),
        *("--trusted-hops", "2", "--dashboard-origins", "https://dash.example"),
        *("--client-id-headers", "x-visitor"),
        *("--public-connections", "611", "--mesh-connections", "212"),
    )

    assert [address_of(each) for each in contents] == [("0.0.0.0", 443), ("fd00::5", 8444)]
    for content, name, connections in zip(
        contents, ("public", "mesh"), ("611", "212"), strict=True
    ):
        [cluster] = content["staticResources"]["clusters"]
        [group] = cluster["loadAssignment"]["endpoints"]
        servers = [each["endpoint"]["address"]["socketAddress"] for each in group["lbEndpoints"]]
        assert [(each["address"], each["portValue"]) for each in servers] == [
            ("serve-1.internal", 50051),
            ("fd00::7", 50052),
        ]
        assert content["admin"]["address"]["pipe"]["path"] == f"/run/envoy/{name}.sock"
        text = json.dumps(content)
        assert '"contract/edge.binpb"' in text
        assert str(folder) not in text
        assert re.search(rf"\b{connections}\b", text)
    text = json.dumps(contents[0])
    for tokens in (142, 7, 666):
        assert f'"maxTokens": {tokens},' in text
    assert '"xffNumTrustedHops": 2' in text
    assert "https://dash.example" in text
    assert "x-visitor" in text


def test_every_setting_of_the_edge_has_an_option() -> None:
    """What `guerdon up` can do, an Envoy of one's own could not."""
    options = {option for each in configure.params for option in each.opts}
    chosen = {f"--{name.replace('_', '-')}" for name in EdgeChoices.model_fields}

    assert chosen <= options
    assert {"--rate-limits", "--trusted-hops"} <= chosen


def test_every_option_is_explained() -> None:
    """An operator would have to read the code."""
    document = source_of(Path("docs/settings.md"))
    section = document.partition("# Settings of Envoys of your own")[2]
    told = set(re.findall(r"^\| `(--[a-z-]+)", section, re.MULTILINE))

    assert told == {each.opts[0] for each in configure.params} - {"folder"}


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--server", "10.0.0.7"), "--server: 10.0.0.7 must be like 10.0.0.7:50051"),
        (SERVER, "--server: 10.0.0.7:50051 is named twice"),
        (("--public", "edge.internal:80"), "--public: edge.internal:80 must be like 0.0.0.0:8080"),
        (("--mesh", "8081"), "--mesh: 8081 must be like"),
        (("--mesh", "127.0.0.1:8080"), "--mesh: 127.0.0.1:8080 is where the public listener is"),
        (("--admin-folder", "@envoy"), "--admin-folder: @envoy must be a folder"),
        (("--admin-folder", "/" + "a" * 99), "is longer than a socket's path may be, 103 bytes"),
        (("--descriptors", ""), "--descriptors: names no file"),
        (("--rate-limits", "probe=fast"), "--rate-limits: probe=fast must be like"),
        (("--address-rate-limits", "all=1/1"), "--address-rate-limits: all=1/1 must be like"),
        (("--trusted-hops", "all"), "--trusted-hops: all must be a whole number from 0 to 10"),
        (("--dashboard-origins", "*"), "--dashboard-origins: * must be an exact origin"),
        (("--client-id-headers", "host"), "--client-id-headers: has host"),
    ],
    ids=lambda value: value[0].strip("-") if isinstance(value, tuple) else "",
)
def test_what_is_wrong_is_told_in_one_sentence(
    tmp_path: Path, words: tuple[str, ...], says: str
) -> None:
    """Envoy would not start, with words about a line of its configuration, or be open to all."""
    result = typed(tmp_path / "new", *SERVER, *words)

    assert result.exit_code == 1, result.output
    assert says in result.output
    assert len(result.output.strip().splitlines()) == 1, result.output
    assert not (tmp_path / "new").exists()


def test_no_server_is_a_mistake(tmp_path: Path) -> None:
    """Envoy would ask processes of its own host that are not there."""
    result = typed(tmp_path / "new")

    assert result.exit_code == 2
    assert "Missing option '--server'" in result.output


def test_a_folder_that_cannot_be_is_told_of(tmp_path: Path) -> None:
    """A stack trace names a line of ours instead of the folder."""
    (tmp_path / "file").touch()

    result = typed(tmp_path / "file" / "folder", *SERVER)

    assert result.exit_code == 1
    assert f"{tmp_path / 'file' / 'folder'} cannot be written to: Not a directory." in result.output


def test_how_envoy_is_started_is_told(usual: Usual) -> None:
    """Its own logs would have tokens in them at the level `debug`."""
    said = usual.said.strip().splitlines()

    for name, says, line in (
        ("public", "open 1,600 files", said[-5]),
        ("mesh", "open 2,100 files", said[-1]),
    ):
        assert shlex.split(line) == ["envoy", *envoy_options(usual.folder / f"{name}.json")]
        assert says in said[said.index(line) - 2]


def test_the_page_for_operators_starts_it_the_same_way(tmp_path: Path) -> None:
    """Whoever copies from there would start another Envoy than the one that is tested."""
    document = re.sub(r"\\\n\s*", "", source_of(OPERATING))
    folder = Path("/etc/guerdon/envoy")
    assert shlex.join(["envoy", *envoy_options(folder / "public.json")]) in document

    example = re.search(
        r"^```sh configure\nguerdon envoy configure (.+)\n```", document, re.MULTILINE
    )
    assert example is not None
    path, *words = shlex.split(example[1])
    assert path == str(folder)
    contents = written(tmp_path, *words)
    assert [address_of(each) for each in contents] == [("10.0.0.5", 8080), ("10.0.0.5", 8081)]
