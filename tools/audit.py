"""Says which pinned dependencies are known to be unsafe. Run by `make audit`.

The auditor has an environment of its own, pinned in audit.lock, so that nothing that it needs is
part of the project's. Where no source of advisories can be reached, that is said and is no failure.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import venv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LOCKS = ("requirements.lock", "pip.lock")
SECONDS_MAX = 300

ACCEPTED: Mapping[str, str] = {}
"""Advisories that cannot be acted on, by their id, and why each does not concern us."""


def main() -> None:
    """Ends with 1 if something is known to be unsafe and not accepted."""
    with tempfile.TemporaryDirectory(prefix="guerdon-audit-") as folder:
        auditor = _installed(Path(folder))
        if auditor is None:
            _unaudited("The auditor cannot be installed.")
            return
        reports = [_report(auditor, lock) for lock in LOCKS]
    packages = [
        package
        for report in reports
        if report is not None
        for package in report["dependencies"]
        if "skip_reason" not in package
    ]
    if not packages:
        _unaudited("No source of advisories can be reached.")
        return
    found = [(package, each) for package in packages for each in package["vulns"]]
    for package, each in found:
        fixed = ", ".join(each["fix_versions"]) or "no version yet"
        _say(f"{package['name']} {package['version']}: {each['id']}, fixed in {fixed}.")
    _say(f"{len(packages)} dependencies were audited; {len(found)} advisories concern them.")
    for advisory, reason in ACCEPTED.items():
        _say(f"Accepted: {advisory}, because {reason}")
    if found:
        sys.exit(1)


def _installed(folder: Path) -> Path | None:
    venv.create(folder, with_pip=True)
    python = folder / "bin" / "python"
    install = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    lock = ROOT / "audit.lock"
    done = _run(python, *install, "--no-deps", "--require-hashes", "-r", str(lock))
    return python if done is not None and done.returncode == 0 else None


def _report(auditor: Path, lock: str) -> dict[str, Any] | None:
    """What is known of the packages of a lock file; None when nobody could be asked."""
    ignored = [option for advisory in ACCEPTED for option in ("--ignore-vuln", advisory)]
    pinned = ("--require-hashes", "--disable-pip", "--requirement", str(ROOT / lock))
    quiet = ("--progress-spinner", "off", "--format", "json")
    done = _run(auditor, "-m", "pip_audit", *quiet, *pinned, *ignored)
    try:
        report: dict[str, Any] = json.loads(done.stdout if done is not None else "")
    except ValueError:
        return None
    return report


def _run(python: Path, *arguments: str) -> subprocess.CompletedProcess[str] | None:
    try:
        return subprocess.run(
            [str(python), *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return None


def _unaudited(why: str) -> None:
    _say(f"{why} Nothing was audited; run `make audit` where there is a network.")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
