"""
Runs a Python module and ends with whoever started it:
`python -m anneal_training.while_parent_lives <pid of the starter> pip install …`

After a kill of a worker or of set-up, what it had started must not go on writing into a folder that the next one
begins anew.
"""

import os
import runpy
import sys
import threading
import time


def main() -> None:
    # Given, not asked for: the starter may be gone before this line is reached.
    parent = int(sys.argv[1])

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    sys.argv = sys.argv[2:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
