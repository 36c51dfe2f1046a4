"""
Runs a container's program and ends with the sandbox: `machine.py <pid of the sandbox> program arguments…`.

SIGTERM goes to the program and everything that it has started. When the sandbox is gone, nothing of it goes on.
"""

import os
import signal
import subprocess
import sys
import time

parent = int(sys.argv[1])
program = subprocess.Popen(sys.argv[2:], start_new_session=True)
signal.signal(signal.SIGTERM, lambda *_: os.killpg(program.pid, signal.SIGTERM))
while program.poll() is None:
    if os.getppid() != parent:
        os.killpg(program.pid, signal.SIGKILL)
    time.sleep(0.1)
try:
    os.killpg(program.pid, signal.SIGKILL)
except ProcessLookupError:
    pass
sys.exit(program.returncode if program.returncode >= 0 else 128 - program.returncode)
