"""Becomes one model server, unless another process is that server already.

Started detached by servers.ts as `python -I launch.py <settings as JSON>`; needs the standard library alone. Settings:
folder (of this server), needs (a file without which nobody needs it), command (the program and its arguments), record
(what is written down of it besides).

The lock in the folder is the kernel's (flock) and stays with the program: nobody starts a second server of the same
file for the same deployment, and it is free again however the server ends.
"""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

HELD_BY_ANOTHER = 75
# What a model server has no business with, and what would change how it serves.
SECRETIVE = ("AWS_", "ANNEAL_", "DATABASE_URL", "PGPASSWORD", "TEMPORAL_", "LLAMA_ARG_")


def main() -> int:
    settings = json.loads(sys.argv[1])
    folder = Path(settings["folder"])
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return HELD_BY_ANOTHER
    # Deleted in the meantime: nobody would end this server. What is written below fails without the folder.
    if not Path(settings["needs"]).exists():
        return 0
    pid = os.getpid()
    write_json(folder / "server.json", {**settings["record"], "pid": pid, "identity": identity_of(pid)})
    # Only the words of this server: the one before it may have left some.
    os.ftruncate(2, 0)
    os.set_inheritable(lock, True)
    # The worker has deadlines to meet on the same cores.
    os.nice(5)
    command = settings["command"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(SECRETIVE)}
    os.execve(command[0], command, kept)


def identity_of(pid: int) -> str:
    """As `processIdentity` in process-identity.ts."""
    if sys.platform != "linux":
        listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
        return listed.stdout.strip()
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot} {fields[19]}"


def write_json(path: Path, value: dict) -> None:
    """Readers see the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    beside.write_text(json.dumps(value))
    beside.replace(path)


if __name__ == "__main__":
    sys.exit(main())
