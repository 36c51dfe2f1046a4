"""Keeps one local training job going until it has ended, whatever dies in between.

Started detached by supervision.ts as `python -I supervisor.py <settings as JSON>`; needs the standard library
alone. Settings: job (the job's folder), slots (folder of the machine's places), trainers (how many train at
once), training (folder of anneal_training), graceSeconds (between SIGTERM and SIGKILL), restartSeconds (pause
after a crash).

What it knows lies in the job's folder, so that the next supervisor goes on where this one was killed. Locks
are the kernel's (flock): they end with their process, however that ends.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime, timezone
from pathlib import Path

POLL_SECONDS = 0.2
# The trainer's own way to say that somebody else trains this job.
HELD_BY_ANOTHER = 75
CRASHES_WITHOUT_A_STEP = 3
LAST_WORDS_CHARACTERS = 2000
# What stays in a job's folder once it has ended.
RECORDS = {
    "request.json", "events.jsonl", "ended.json", "cancel", "crashes.json", "lock",
    "trainer.log", "supervisor.log", "supervisor.json", "supervisor-starting.json", "supervisor.lock",
}
# What a trainer has no business with.
SECRETIVE = ("AWS_", "ANNEAL_", "DATABASE_URL", "PGPASSWORD", "TEMPORAL_")
SECRETIVE_ENDS = "_DATABASE_URL"


def main() -> int:
    settings = json.loads(sys.argv[1])
    job = Path(settings["job"])
    try:
        lock = hold(job / "supervisor.lock")
        if lock is None:
            return HELD_BY_ANOTHER
        if not (job / "ended.json").exists():
            Supervisor(job, settings).supervise()
    except FileNotFoundError:
        # Its folder was deleted: there is nothing left to supervise.
        if (job / "request.json").exists():
            raise
    return 0


class Supervisor:
    def __init__(self, job: Path, settings: dict) -> None:
        self.job = job
        self.slots = Path(settings["slots"])
        self.trainers = settings["trainers"]
        self.training = settings["training"]
        self.grace_seconds = settings["graceSeconds"]
        self.restart_seconds = settings["restartSeconds"]
        self.submitted_at = read_json(job / "request.json")["submittedAt"]
        self.reported = None

    def supervise(self) -> None:
        self.report("starting")
        self.adopt_trainer()
        while (end := self.decide()) is None:
            slot = self.wait_in_line()
            if slot is None:
                continue
            self.report("training")
            pid = self.start_trainer(slot)
            self.account_for(self.watch(pid, lambda: exit_code_of(pid)))
        self.finish(*end)

    def adopt_trainer(self) -> None:
        """Stays with the trainer that a killed supervisor has left behind, or takes note that it died too."""
        trainer = read_json(self.job / "trainer.json")
        if trainer is None:
            return
        if is_alive(trainer):
            self.report("training")
            self.watch(trainer["pid"], lambda: None if is_alive(trainer) else "unknown")
        self.account_for("unknown")

    def decide(self) -> tuple[str, str | None, str | None] | None:
        """How the job has ended: status, message, hash of its adapter. None while it has to go on."""
        last = last_of(self.events())
        cancelled = self.is_cancelled()
        # A trainer that somebody else told to stop, for instance a machine going down, goes on later.
        if last.get("event") == "end" and (cancelled or last["status"] != "stopped"):
            return last["status"], last.get("message"), last.get("adapterSha256")
        if cancelled:
            return "stopped", None, None
        crashes = self.crashes()
        if crashes["count"] < CRASHES_WITHOUT_A_STEP:
            return None
        said = crashes["lastWords"] or "It said nothing."
        message = f"the trainer ended {crashes['count']} times without a new step ({crashes['how']}): {said}"
        return "failed", message, None

    def wait_in_line(self) -> int | None:
        """A place on the machine, as the descriptor of its lock; None once the job is to be stopped."""
        while not self.is_cancelled():
            (self.job / "request.json").stat()
            before = self.jobs_before()
            if before < self.trainers:
                self.slots.mkdir(parents=True, exist_ok=True)
                for number in range(self.trainers):
                    slot = hold(self.slots / f"{number}.lock")
                    if slot is not None:
                        return slot
            self.report("queued", max(before, 1))
            time.sleep(POLL_SECONDS)
        return None

    def jobs_before(self) -> int:
        """Jobs that were submitted earlier, have not ended and are looked after."""
        return sum(1 for job in self.job.parent.iterdir() if self.is_before(job))

    def is_before(self, job: Path) -> bool:
        if job == self.job or job.name.startswith(".") or (job / "ended.json").exists():
            return False
        request = read_json(job / "request.json")
        if request is None or (request["submittedAt"], job.name) > (self.submitted_at, self.job.name):
            return False
        supervisors = [read_json(job / name) for name in ("supervisor.json", "supervisor-starting.json")]
        return any(supervisor is not None and is_alive(supervisor) for supervisor in supervisors)

    def start_trainer(self, slot: int) -> int:
        """The trainer inherits its place on the machine: it is taken for as long as the trainer lives."""
        told, tell = os.pipe()
        pid = os.fork()
        if pid == 0:
            self.become_trainer(slot, told, tell)
        os.close(told)
        os.close(slot)
        # No trainer runs before it is written down who it is: whoever comes next finds it.
        write_json(self.job / "trainer.json", {"pid": pid, "identity": identity_of(pid)})
        os.write(tell, b"go")
        os.close(tell)
        return pid

    def become_trainer(self, slot: int, told: int, tell: int) -> None:
        try:
            os.setsid()
            os.close(tell)
            if os.read(told, 2) != b"go":
                os._exit(0)
            os.set_inheritable(slot, True)
            log = os.open(self.job / "trainer.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
            nothing = os.open(os.devnull, os.O_RDWR)
            os.dup2(nothing, 0)
            os.dup2(nothing, 1)
            os.dup2(log, 2)
            # The worker has deadlines to meet on the same cores.
            os.nice(10)
            os.chdir(self.training)
            kept = {name: value for name, value in os.environ.items() if not is_secretive(name)}
            environment = {**kept, "PYTHONPATH": self.training, "PYTHONUNBUFFERED": "1"}
            command = [sys.executable, "-m", "anneal_training.train", str(self.job / "train.json")]
            os.execve(sys.executable, command, environment)
        except BaseException as error:  # a forked child must never return into its parent's code
            os.write(2, f"could not start the trainer: {error}\n".encode())
        os._exit(127)

    def watch(self, pid: int, ended) -> int | str:
        """Waits for the trainer's end; brings it about when the job is cancelled or its folder deleted."""
        asked_at = None
        while (code := ended()) is None:
            if not (self.job / "request.json").exists():
                kill_group(pid)
            elif self.is_cancelled():
                if asked_at is None:
                    ask_to_stop(pid)
                    asked_at = time.monotonic()
                elif time.monotonic() - asked_at > self.grace_seconds:
                    kill_group(pid)
            time.sleep(POLL_SECONDS)
        kill_group(pid)
        return code

    def account_for(self, code: int | str) -> None:
        """Counts ends that nobody wanted and that brought no new step since the one before."""
        last = last_of(self.events())
        if code == HELD_BY_ANOTHER:
            time.sleep(1)
        elif not self.is_cancelled() and (last.get("event") != "end" or last["status"] == "stopped"):
            steps = [event["step"] for event in self.events() if event.get("event") == "step"]
            step = max(steps, default=0)
            before = self.crashes()
            count = before["count"] + 1 if step <= before["step"] else 1
            crash = {"count": count, "step": step, "how": words_for(code), "lastWords": self.last_words()}
            write_json(self.job / "crashes.json", crash)
            if count < CRASHES_WITHOUT_A_STEP:
                self.report("starting")
                time.sleep(self.restart_seconds)
        (self.job / "trainer.json").unlink(missing_ok=True)

    def finish(self, status: str, message: str | None, adapter_sha256: str | None) -> None:
        """Frees what nobody needs any more, then writes down the end."""
        kept = RECORDS | ({"adapter"} if status == "completed" else set())
        for entry in self.job.iterdir():
            if entry.name in kept:
                continue
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            else:
                entry.unlink()
        end = {"status": status, "message": message, "adapterSha256": adapter_sha256, "at": now()}
        write_json(self.job / "ended.json", end)

    def report(self, phase: str, before: int = 0) -> None:
        if self.reported == (phase, before):
            return
        self.reported = (phase, before)
        own = {"pid": os.getpid(), "identity": identity_of(os.getpid())}
        write_json(self.job / "supervisor.json", {**own, "phase": phase, "before": before})

    def is_cancelled(self) -> bool:
        return (self.job / "cancel").exists()

    def crashes(self) -> dict:
        return read_json(self.job / "crashes.json") or {"count": 0, "step": -1, "how": "", "lastWords": ""}

    def events(self) -> list[dict]:
        """Every whole line; one that a killed trainer has torn is passed over."""
        try:
            lines = (self.job / "events.jsonl").read_text(errors="replace").splitlines()
        except FileNotFoundError:
            return []
        return [event for line in lines if isinstance(event := parse(line), dict)]

    def last_words(self) -> str:
        try:
            text = (self.job / "trainer.log").read_text(errors="replace").strip()
        except FileNotFoundError:
            return ""
        return text[-LAST_WORDS_CHARACTERS:]


def hold(path: Path) -> int | None:
    """Locks a file for as long as its descriptor is open anywhere; None when somebody else has it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def identity_of(pid: int) -> str | None:
    """As `processIdentity` in process-identity.ts: when it started and in which boot; None if it is gone."""
    try:
        if sys.platform != "linux":
            listed = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True)
            return listed.stdout.strip() or None
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] == "Z" else f"{boot} {fields[19]}"
    except (FileNotFoundError, ProcessLookupError):
        return None


def is_alive(process: dict) -> bool:
    return process["identity"] is not None and identity_of(process["pid"]) == process["identity"]


def is_secretive(variable: str) -> bool:
    return variable.startswith(SECRETIVE) or variable.endswith(SECRETIVE_ENDS)


def exit_code_of(pid: int) -> int | None:
    """Of a child of ours; None while it lives, negative when a signal ended it."""
    ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if ended else None


def ask_to_stop(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGTERM)
    except ProcessLookupError:
        pass


def kill_group(pid: int) -> None:
    """The trainer and whatever it has started: it leads a group of its own."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass


def words_for(code: int | str) -> str:
    if isinstance(code, int) and code < 0:
        return f"ended by {signal.Signals(-code).name}"
    return f"exit code {code}"


def last_of(events: list[dict]) -> dict:
    return events[-1] if events else {}


def parse(text: str) -> object:
    try:
        return json.loads(text)
    except ValueError:
        return None


def read_json(path: Path) -> dict | None:
    try:
        return json.loads(path.read_text())
    except FileNotFoundError:
        return None


def write_json(path: Path, value: dict) -> None:
    """Readers see the old file or the new one."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    with beside.open("w") as file:
        json.dump(value, file)
        file.flush()
        # A machine that loses power has the new file whole, or the old one.
        os.fsync(file.fileno())
    beside.replace(path)


def now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


if __name__ == "__main__":
    sys.exit(main())
