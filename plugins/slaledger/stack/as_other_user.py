"""Run a command that refuses to run as root: `python as_other_user.py COMMAND…`, as root.

In a user namespace the command sees itself as another user, while to everyone outside it is still
root: it reads root's checkout, and the files that it writes are root's. Standard library only.
"""

import ctypes
import os
import pwd
import sys

CLONE_NEWUSER = 0x10000000


def main() -> None:
    """Enter a user namespace of one user and one group, and become the command."""
    user, group = os.getuid(), os.getgid()
    # A user that the system knows: initdb looks its name up.
    other = next(entry for entry in reversed(pwd.getpwall()) if entry.pw_uid)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"no user namespace: {os.strerror(ctypes.get_errno())}")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{other.pw_uid} {user} 1"),
        ("gid_map", f"{other.pw_gid} {group} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    os.execv(sys.argv[1], sys.argv[1:])


if __name__ == "__main__":
    main()
