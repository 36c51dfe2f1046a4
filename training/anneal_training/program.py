"""What the programs share: the request, one JSON line per event, the lock on the folder, and how they end."""

import errno
import fcntl
import json
import os
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

EXIT_BAD_REQUEST = 64
EXIT_LOCKED = 75


class Problem(Exception):
    """A fault that a person can mend; its text says what was found, what is allowed and what to do."""


class EventLog:
    """Writes each event to `events.jsonl` of the folder and to standard output."""

    def __init__(self, directory: Path, output: int):
        """`output` is an open file descriptor."""
        self._output: int | None = output
        path = directory / "events.jsonl"
        _drop_torn_line(path)
        self._file = open(path, "a", encoding="utf-8")

    def write(self, event: str, **fields: object) -> None:
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"event": event, **fields, "at": at}, ensure_ascii=False, allow_nan=False) + "\n"
        self._file.write(line)
        self._file.flush()
        if self._output is None:
            return
        try:
            os.write(self._output, line.encode())
        except OSError:
            # Who started this program is gone; the work goes on, and the file tells the rest.
            self._output = None


def run(work: Callable[[dict, EventLog], dict], end_fields: dict) -> None:
    """
    Runs `work` on the request named on the command line, holding the folder's lock, and exits.

    `work` returns the fields of the last event, at least `status`; `end_fields` fills in the others.
    Exit code 0 after an `end` event, 64 for an unreadable request, 75 when somebody else holds the lock.
    """
    output = _keep_standard_output()
    request = _read_request()
    directory = Path(request["directory"])
    directory.mkdir(parents=True, exist_ok=True)
    lock = _take_lock(directory)
    events = EventLog(directory, output)
    events.write("end", **{"message": None, **end_fields, **_outcome(work, request, events)})
    lock.close()
    sys.exit(0)


def _outcome(work: Callable[[dict, EventLog], dict], request: dict, events: EventLog) -> dict:
    try:
        return work(request, events)
    except Problem as problem:
        return {"status": "failed", "message": str(problem)}
    except KeyError as error:
        traceback.print_exc()
        return {"status": "failed", "message": f"The request has no {error}."}
    except OSError as error:
        traceback.print_exc()
        if error.errno == errno.ENOSPC:
            return {"status": "failed", "message": f"The disk is full: {error}. Remedy: free space and start again."}
        return {"status": "failed", "message": str(error)}
    except Exception as error:
        traceback.print_exc()
        return {"status": "failed", "message": f"{type(error).__name__}: {error}"}


def _keep_standard_output() -> int:
    """Returns a descriptor for the events; everything that libraries print goes to standard error instead."""
    sys.stdout.flush()
    output = os.dup(1)
    os.dup2(2, 1)
    return output


def _read_request() -> dict:
    try:
        request = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
        if not isinstance(request.get("directory"), str):
            raise ValueError('"directory" is missing')
        return request
    except (IndexError, OSError, ValueError, AttributeError) as error:
        name = Path(sys.argv[0]).stem
        print(f"usage: python -m anneal_training.{name} request.json", file=sys.stderr)
        print(f"The request cannot be used: {error}", file=sys.stderr)
        sys.exit(EXIT_BAD_REQUEST)


def _take_lock(directory: Path):
    lock = open(directory / "lock", "a", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print(f"Another process works in {directory}.", file=sys.stderr)
        sys.exit(EXIT_LOCKED)
    return lock


def _drop_torn_line(path: Path) -> None:
    """After a kill the last line may be half written."""
    if not path.exists():
        return
    with open(path, "r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
