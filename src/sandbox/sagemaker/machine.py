"""
Runs a container's program and ends with the sandbox: `machine.py <pid of the sandbox> program arguments…`.

SIGTERM goes to the program, SIGQUIT ends it and everything that it has started. When the sandbox is gone, nothing of it
goes on.
"""

import os
import signal
import subprocess
import sys
import time

program: subprocess.Popen | None = None
wanted: signal.Signals | None = None


def end(how: signal.Signals) -> None:
    """To the program alone, as a container's first process has it, or to its whole group."""
    try:
        if how == signal.SIGTERM:
            program.send_signal(how)
        else:
            os.killpg(program.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def remember(number: int, _frame: object) -> None:
    global wanted
    wanted = signal.Signals(number)


signal.signal(signal.SIGTERM, remember)
signal.signal(signal.SIGQUIT, remember)
parent = int(sys.argv[1])
program = subprocess.Popen(sys.argv[2:], start_new_session=True)
while program.poll() is None:
    if os.getppid() != parent:
        end(signal.SIGQUIT)
    if wanted is not None:
        end(wanted)
        wanted = None
    time.sleep(0.1)
# What it may have started and left behind.
end(signal.SIGQUIT)
sys.exit(program.returncode if program.returncode >= 0 else 128 - program.returncode)
