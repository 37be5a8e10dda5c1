"""The test object is the daemon itself: these classes start the real programs in a folder of their own, wait for what
they say with a deadline, and end them by their process id. Nothing here sleeps to be right; it polls to be quick."""

import json
import os
import selectors
import signal
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(os.environ.get("PRESENCED_BIN_DIR", ROOT / "build" / "release" / "bin")).resolve()
READY = 20  # seconds for a program to say that it is ready
PATIENCE = 60  # seconds for anything else; generous, because a sanitized program on a busy machine is slow


def wait_until(condition, what, patience=PATIENCE):
    """The first true value of condition(), which is asked again and again until the deadline."""
    deadline = time.monotonic() + patience
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what}: did not come about within {patience} s")
        time.sleep(0.02)


class Program:
    """A program that runs: its output goes to files, so that no pipe can fill up, and both can be read at any time."""

    def __init__(self, folder, name, *arguments, stdin=subprocess.DEVNULL, env=None):
        self.name = name
        self.out_path, self.err_path = folder / f"{name}.out", folder / f"{name}.err"
        with self.out_path.open("wb") as out, self.err_path.open("wb") as err:
            self.process = subprocess.Popen(
                [BIN / name, *map(str, arguments)], cwd=folder, stdin=stdin, stdout=out, stderr=err,
                env={**os.environ, **(env or {})})
        self.pid = self.process.pid

    @property
    def out(self):
        return self.out_path.read_text("utf-8", "replace")

    @property
    def err(self):
        return self.err_path.read_text("utf-8", "replace")

    def wait_for(self, text, patience=READY):
        """Until the program has written the text, to either output. If it ends first, that is the failure."""

        def said():
            if text in self.out or text in self.err:
                return True
            assert self.process.poll() is None, f"{self.name} ended with {self.process.returncode}: {self.err}"
            return False

        wait_until(said, f"{self.name} says \"{text}\"", patience)
        return self

    def wait(self, patience=PATIENCE):
        """Its exit code."""
        try:
            return self.process.wait(patience)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} still runs after {patience} s: {self.err[-4000:]}") from None

    def stop(self, signum=signal.SIGTERM):
        """Asks it to end, insists after a while; the exit code. Fine when it has ended already."""
        if self.process.poll() is None:
            self.process.send_signal(signum)
            try:
                self.process.wait(READY)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError(f"{self.name} did not end when asked to: {self.err[-4000:]}") from None
        return self.process.returncode

    def kill(self):
        """As a power cut would."""
        self.process.kill()
        return self.process.wait()


class Graphsim(Program):
    """The stand-in for Entra and Graph, and its plain port."""

    def __init__(self, folder, *arguments):
        self.folder = folder
        super().__init__(folder, "graphsim", "--dir", folder, *arguments)
        self.wait_for("graphsim: ready")
        self.about = json.loads((folder / "sim.json").read_text())
        self.config = folder / "config.xml"

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.about['sim_port']}{path}", timeout=READY) as answer:
            return json.load(answer)

    def post(self, path, body):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.about['sim_port']}{path}", json.dumps(body).encode(),
            {"Content-Type": "application/json"}, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=READY) as answer:
                text = answer.read()
        except urllib.error.HTTPError as refusal:
            raise AssertionError(f"{path}: {refusal.code} {refusal.read().decode()}") from None
        return json.loads(text) if text.strip() else None

    def state(self):
        return self.get("/sim/state")

    def counters(self):
        return self.state()["counters"]

    def user(self, upn):
        return next(user for user in self.state()["users"] if user["upn"].lower() == upn.lower())

    def shown(self, upn):
        """What colleagues see: (availability, activity)."""
        shown = self.user(upn)["shown"]
        return shown["availability"], shown["activity"]

    def log(self, after=0):
        return self.get(f"/sim/log?after={after}")

    def faults(self, *faults):
        """Replaces all faults: faults("throttle:0.5", "reset"); none ends them."""
        self.post("/sim/faults", list(faults))

    def change_config(self, change):
        """Rewrites config.xml by a function of its text."""
        self.config.write_text(change(self.config.read_text("utf-8")), "utf-8")


class Presenced(Program):
    """`presenced run` on a config.xml."""

    def __init__(self, folder, config, *arguments, events=None, until_idle=False, **more):
        options = ["run", "-c", config]
        if events is not None:
            options += ["--events", events]
        if until_idle:
            options.append("--until-idle")
        self.config = config
        super().__init__(folder, "presenced", *options, *arguments, **more)

    def send(self, *events):
        """Live events, for a daemon started with events="-" and stdin=PIPE."""
        for event in events:
            self.process.stdin.write((event if isinstance(event, str) else json.dumps(event)).encode() + b"\n")
        self.process.stdin.flush()

    def end_of_events(self):
        self.process.stdin.close()


class Result:
    """Of a command that has ended."""

    def __init__(self, done):
        self.code, self.out, self.err = done.returncode, done.stdout, done.stderr

    def json(self):
        return json.loads(self.out)

    def __repr__(self):
        return f"exit {self.code}\n{self.out}\n{self.err}"


def command(*arguments, stdin="", cwd=None, env=None, patience=PATIENCE):
    """Runs `presenced ...` to its end."""
    done = subprocess.run(
        [BIN / "presenced", *map(str, arguments)], input=stdin, capture_output=True, text=True, cwd=cwd,
        timeout=patience, env={**os.environ, **(env or {})})
    return Result(done)


def on_terminal(*arguments, typed, cwd=None, patience=PATIENCE):
    """Runs `presenced ...` with a terminal of its own, types at it; (exit code, everything the terminal showed)."""
    try:
        pid, terminal = os.forkpty()
    except OSError as failure:
        pytest.skip(f"no pseudo-terminal can be had here ({failure}); mount devpts")
    if pid == 0:
        try:
            if cwd is not None:
                os.chdir(cwd)
            os.execv(BIN / "presenced", [str(BIN / "presenced"), *map(str, arguments)])
        finally:
            os._exit(127)
    shown, deadline = b"", time.monotonic() + patience
    with selectors.DefaultSelector() as selector:
        selector.register(terminal, selectors.EVENT_READ)
        while time.monotonic() < deadline:
            if not selector.select(0.1):
                continue
            try:
                block = os.read(terminal, 65536)
            except OSError:  # Linux's way to say that the other side has closed
                break
            if not block:
                break
            shown += block
            if typed and b":" in shown:  # the prompt
                os.write(terminal, typed.encode())
                typed = ""
        else:
            os.kill(pid, signal.SIGKILL)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return os.waitstatus_to_exitcode(status), shown.decode("utf-8", "replace")


@pytest.fixture
def running():
    """Collects programs; whatever still runs at the end of the test is stopped, the youngest first."""
    programs = []
    yield programs
    failures = []
    for program in reversed(programs):
        try:
            code = program.stop()
        except AssertionError as failure:
            failures.append(str(failure))
            continue
        if "Sanitizer" in program.err or "runtime error:" in program.err or "broken promise" in program.err:
            failures.append(f"{program.name} ended with {code}: {program.err}")
    assert not failures, "\n".join(failures)


@pytest.fixture
def make_sim(tmp_path, running):
    """Starts a graphsim with the given arguments, in its own folder below tmp_path."""

    def make(*arguments, name="sim"):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        sim = Graphsim(folder, *arguments)
        running.append(sim)
        return sim

    return make


@pytest.fixture
def sim(make_sim):
    return make_sim()


@pytest.fixture
def make_presenced(tmp_path, running):
    """Starts `presenced run` on a config (of a sim, or a path)."""
    count = 0

    def make(config, *arguments, **more):
        nonlocal count
        count += 1
        folder = tmp_path / f"presenced{count}"
        folder.mkdir()
        presenced = Presenced(folder, getattr(config, "config", config), *arguments, **more)
        running.append(presenced)
        return presenced

    return make


@pytest.fixture
def write_events(tmp_path):
    """Writes events as NDJSON; a string goes in as it is, a dict as JSON. The path."""

    def write(*events, name="events.ndjson"):
        path = tmp_path / name
        lines = [event if isinstance(event, str) else json.dumps(event, ensure_ascii=False) for event in events]
        path.write_text("".join(line + "\n" for line in lines), "utf-8")
        return path

    return write
