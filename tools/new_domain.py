"""Writes a domain with one method in it, to be filled. Run by `make new-domain NAME=…`.

What remains by hand is printed in the end, and stands in CONTRIBUTING.md.
"""

from __future__ import annotations

import keyword
import re
import sys
from pathlib import Path
from string import Template

from infrastructure.database.schema import MIGRATIONS, expected_revision

ROOT = Path(__file__).resolve().parent.parent
TEMPLATES = Path(__file__).resolve().with_suffix("")
NEXT = """
Written. Then, in this order:
  make gen
  server/wiring/domains.py   build {Thing}Service
  server/wiring/services.py  served({Thing}Servicer(…), {domain}_pb2.DESCRIPTOR.services_by_name[…])
  make format check test T=tests/domains/{domain}
  CHANGELOG.md               what callers can do now
See CONTRIBUTING.md, "How to add a domain".
"""


def places_of(domain: str, revision: str) -> dict[str, Path]:
    """Where each template is written to."""
    package = Path("domains") / domain
    inside = ("__init__", "errors", "model", "tables", "repository", "service", "servicer")
    return {
        "domain.proto": Path("proto/guerdon") / domain / "v1" / f"{domain}.proto",
        **{f"{each}.py": package / f"{each}.py" for each in inside},
        "migration.py": MIGRATIONS.relative_to(ROOT) / "versions" / f"{revision}_{domain}.py",
        "valid_calls.py": Path("tests/contract/valid_calls") / f"{domain}.py",
        "test_service.py": Path("tests/domains") / domain / "test_service.py",
    }


def main() -> None:
    """Writes every file, or none if the name is no domain's or taken."""
    domain = sys.argv[1] if len(sys.argv) > 1 else ""
    if re.fullmatch(r"[a-z]+", domain) is None or keyword.iskeyword(domain):
        sys.exit("Name the domain with one word of small letters: make new-domain NAME=vouchers")
    down_revision = expected_revision()
    revision = f"{int(down_revision) + 1:04}"
    thing = domain if domain.endswith("ss") else domain.removesuffix("s")
    places = places_of(domain, revision)
    taken = [path for path in places.values() if (ROOT / path).exists()]
    if taken:
        sys.exit(f"{taken[0]} is there already.")
    words = {
        "domain": domain,
        "thing": thing,
        "Thing": thing.capitalize(),
        "THING": thing.upper(),
        "What": f"{domain.capitalize()} are kept",
        "revision": revision,
        "down_revision": down_revision,
    }
    for name, path in places.items():
        template = Template((TEMPLATES / f"{name}.tmpl").read_text(encoding="utf-8"))
        (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / path).write_text(template.substitute(words), encoding="utf-8")
        print(path)
    print(NEXT.format(**words))


if __name__ == "__main__":
    main()
