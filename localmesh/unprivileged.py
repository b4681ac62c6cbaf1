"""Running a program that refuses to run as root, when we are root."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from localmesh.errors import StackError

# The user id that means nobody where /etc/passwd names none.
_NOBODY = 65534

_PROBE_TIMEOUT_SECONDS = 20

# What the account may need beyond its own rights, the least first. A project below a folder
# of mode 700 is entered with the first capability; the second also runs programs that were
# installed for root alone (umask 077). Containers often have the second and not the first.
_CAPABILITIES = (None, "dac_read_search", "dac_override")


class AccountError(StackError):
    """No account was found that can run the program. The message says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Whom a program runs as. `prefix` is the command that becomes it: empty for ourselves."""

    user_id: int
    group_id: int
    prefix: tuple[str, ...] = ()

    @property
    def is_other(self) -> bool:
        """Whether files for the program have to be handed over to it."""
        return self.user_id != os.geteuid()

    def command(
        self, arguments: Sequence[str | Path], *, death_signal: signal.Signals | None = None
    ) -> list[str]:
        """The command that runs `arguments` under this account, with no process in between.

        `death_signal` is sent when the starting thread ends. Changing the user unties a
        child from its parent, so here the tie is made after the change; without a change
        it is the starter's to make.
        """
        prefix = [*self.prefix]
        if prefix and death_signal is not None:
            prefix += ["--pdeathsig", death_signal.name]
        return [*prefix, *(["--"] if prefix else []), *(str(each) for each in arguments)]


def account_for(program: Path, *, folder: Path, owner_of: Path) -> Account:
    """An account that is not root, can run `program` and can enter `folder`.

    Whoever owns `owner_of`, if that exists and is not root's; else user `nobody`. Loosens
    no permission of any folder: where the account cannot pass, it gets the least capability
    that lets it.

    Raises:
        AccountError: there is none.
    """
    if os.geteuid() != 0:
        return Account(user_id=os.geteuid(), group_id=os.getegid())
    user_id, group_id = _owner(owner_of) or _nobody()
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        raise AccountError(
            f"{program} does not run as root, and `setpriv`, which starts it as another user, is "
            "not installed. It is part of util-linux. Install that, or run this as an ordinary "
            "user."
        )
    complaint = ""
    for capability in _CAPABILITIES:
        account = Account(
            user_id=user_id,
            group_id=group_id,
            prefix=_become(setpriv, user_id, group_id, capability),
        )
        complaint = _complaint(account, program, folder)
        if not complaint:
            return account
    raise AccountError(
        f"{program} does not run as root, so it is started as user {user_id}. That user cannot "
        f"both run it and enter {folder}: {complaint}. Move the project to a folder that every "
        "user can enter, such as /srv, or run this as an ordinary user."
    )


def _become(setpriv: str, user_id: int, group_id: int, capability: str | None) -> tuple[str, ...]:
    command = [setpriv, f"--reuid={user_id}", f"--regid={group_id}", "--clear-groups", "--nnp"]
    if capability is not None:
        command += [
            f"--inh-caps=-all,+{capability}",
            f"--ambient-caps=-all,+{capability}",
            # access(2) asks with the real user's rights and leaves capabilities out, unless
            # this bit is set; initdb asks it about its own binary.
            "--securebits=+no_setuid_fixup",
        ]
    return tuple(command)


def _complaint(account: Account, program: Path, folder: Path) -> str:
    """Why the account cannot do it; empty when it can."""
    script = 'cd "$2" && test -r "$1" && exec "$1" --version'
    tried = subprocess.run(  # noqa: S603 - our own command
        account.command(["/bin/sh", "-c", script, "sh", program, folder]),
        cwd="/",
        env={"PATH": os.defpath},
        capture_output=True,
        text=True,
        check=False,
        timeout=_PROBE_TIMEOUT_SECONDS,
    )
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
