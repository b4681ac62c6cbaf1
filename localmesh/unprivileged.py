"""Running a program that refuses to run as root, when we are root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localmesh.before_exec import before_exec
from localmesh.errors import StackError

# The user id that means nobody where /etc/passwd names none.
_NOBODY = 65534

_PROBE_TIMEOUT_SECONDS = 20

# What the account may need beyond its own rights, the least first. A project below a folder
# of mode 700 is entered with the first capability; the second also runs programs that were
# installed for root alone (umask 077). Containers often have the second and not the first.
_CAPABILITIES = ("dac_read_search", "dac_override")


class AccountError(StackError):
    """No account was found that can run the program. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom a program runs as, with `command` and `options` together; mostly without a capability.

    `Popen` changes the account. It cannot leave a capability to it: the change drops them all
    before anything of ours runs in the child. So where one is needed, `setpriv` does both.
    """

    user_id: int
    group_id: int
    capability: str | None = None

    @property
    def is_other(self) -> bool:
        """Whether files for the program have to be handed over to it."""
        return self.user_id != os.geteuid()

    def command(
        self, arguments: Sequence[str | Path], *, death_signal: signal.Signals | None = None
    ) -> list[str]:
        """The command that runs `arguments`, with no process in between."""
        prefix = [] if self.capability is None else self._become(self.capability, death_signal)
        return [*prefix, *(str(each) for each in arguments)]

    def options(self, *, death_signal: signal.Signals | None = None) -> Mapping[str, Any]:
        """What `Popen` is called with. `death_signal` is sent when the starting thread ends."""
        if not self.is_other or self.capability is not None:
            return {"preexec_fn": before_exec(death_signal)}
        return {
            "user": self.user_id,
            "group": self.group_id,
            "extra_groups": [],
            "preexec_fn": before_exec(death_signal, no_new_privileges=True),
        }

    def _become(self, capability: str, death_signal: signal.Signals | None) -> list[str]:
        return [
            # Looked for where we look, not where the program will.
            shutil.which("setpriv") or "setpriv",
            *(f"--reuid={self.user_id}", f"--regid={self.group_id}", "--clear-groups", "--nnp"),
            *(f"--inh-caps=-all,+{capability}", f"--ambient-caps=-all,+{capability}"),
            # access(2) asks with the real user's rights and leaves capabilities out, unless
            # this bit is set; initdb asks it about its own binary.
            "--securebits=+no_setuid_fixup",
            *(() if death_signal is None else ("--pdeathsig", death_signal.name)),
            "--",
        ]


def our_account() -> Account:
    """The one that this process has."""
    return Account(user_id=os.geteuid(), group_id=os.getegid())


def account_for(program: Path, *, folder: Path, owner_of: Path) -> Account:
    """An account that is not root, can run `program` and can enter `folder`.

    Whoever owns `owner_of`, if that exists and is not root's; else user `nobody`. Loosens
    no permission of any folder: where the account cannot pass, it gets the least capability
    that lets it.

    Raises:
        AccountError: there is none.
    """
    if os.geteuid() != 0:
        return our_account()
    user_id, group_id = _owner(owner_of) or _nobody()
    has_setpriv = shutil.which("setpriv") is not None
    problem = ""
    for capability in (None, *(_CAPABILITIES if has_setpriv else ())):
        account = Account(user_id=user_id, group_id=group_id, capability=capability)
        problem = _problem_of(account, program, folder)
        if not problem:
            return account
    lend = "" if has_setpriv else "install `setpriv` (of util-linux), which lends it the right to, "
    raise AccountError(
        f"{program} does not run as root, so it is started as user {user_id}. That user cannot "
        f"both run it and enter {folder}: {problem}. Move the project to a folder that every "
        f"user can enter, such as /srv, {lend}or run this as an ordinary user."
    )


def _problem_of(account: Account, program: Path, folder: Path) -> str:
    """Why the account cannot do it; empty when it can."""
    script = 'cd "$2" && test -r "$1" && exec "$1" --version'
    try:
        tried = subprocess.run(  # noqa: S603 - our own command
            account.command(["/bin/sh", "-c", script, "sh", program, folder]),
            cwd="/",
            env={"PATH": os.defpath},
            capture_output=True,
            text=True,
            check=False,
            timeout=_PROBE_TIMEOUT_SECONDS,
            **account.options(),
        )
    except PermissionError as problem:
        # A root that may not change its user, as in some containers.
        return str(problem)
    if tried.returncode == 0:
        return ""
    return tried.stderr.strip() or f"exit code {tried.returncode}"


def _owner(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return (status.st_uid, status.st_gid) if status.st_uid != 0 else None


def _nobody() -> tuple[int, int]:
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        return _NOBODY, _NOBODY
    return entry.pw_uid, entry.pw_gid
