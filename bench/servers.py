"""The two servers of a comparison: started on a core of their own, asked, measured, stopped.

Processor time is what the scheduler accounted to every thread of the process, in nanoseconds
(/proc/PID/task/*/schedstat): steadier than requests per second, because at low pipelining the client is the
bottleneck. Memory is what is resident.
"""

import glob
import os
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

SERVER_CORE = 0
CLIENT_CORE = 1
START_PATIENCE_S = 120
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def find_spindle():
    """What SPINDLE_SERVER names, or the release in build/, which is brought up to date."""
    chosen = os.environ.get("SPINDLE_SERVER")
    if chosen:
        return chosen
    build = os.path.join(ROOT, "build")
    if not os.path.exists(os.path.join(build, "build.ninja")):
        subprocess.run(["meson", "setup", build, "--buildtype=release", "-Dtests=false"], cwd=ROOT, check=True)
    subprocess.run(["ninja", "-C", build, "--quiet", "spindle-server"], check=True)
    return os.path.join(build, "spindle-server")


def find_programs():
    """{kind: program}, ours last. Installs and builds what is missing."""
    subprocess.run([os.path.join(ROOT, "tools", "install"), "build", "test"], check=True)
    return {"redis": os.environ.get("REDIS_SERVER", "redis-server"), "spindle": find_spindle()}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def pinned(core):
    """The words that pin a command to a core; none for None, or on a machine with a single one."""
    if core is None or (os.cpu_count() or 1) < 2 or not shutil.which("taskset"):
        return []
    return ["taskset", "-c", str(core)]


def allow_descriptors(count):
    """Raises the limit of open files to count if the system lets us; returns what it is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        soft = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


class Connection:
    """A plain RESP connection; replies are read as they come, errors raise."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.reader = self.socket.makefile("rb")

    def close(self):
        self.reader.close()
        self.socket.close()

    def send(self, *words):
        parts = [b"*%d\r\n" % len(words)]
        for word in words:
            data = word if isinstance(word, bytes) else str(word).encode()
            parts.append(b"$%d\r\n%s\r\n" % (len(data), data))
        self.socket.sendall(b"".join(parts))

    def receive(self):
        line = self.reader.readline()
        if not line:
            raise ConnectionError("the server closed the connection")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise RuntimeError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"$":
            return None if rest == b"-1" else self.reader.read(int(rest) + 2)[:-2]
        if kind == b"*":
            return [self.receive() for _ in range(int(rest))]
        return rest

    def call(self, *words):
        self.send(*words)
        return self.receive()

    def info(self, field):
        for line in self.call("INFO", "everything").decode().splitlines():
            if line.startswith(field + ":"):
                return line[len(field) + 1:]
        raise KeyError(field)


class Server:
    """One running server. kind is "redis" or "spindle"; program is the path to run; core is where, or None."""

    def __init__(self, kind, program, arguments=(), core=SERVER_CORE):
        self.kind = kind
        self.program = program
        self.arguments = list(arguments)
        self.core = core
        self.directory = tempfile.mkdtemp(prefix="bench-%s-" % kind)
        self.port = free_port()
        self.process = None
        self.start()

    def start(self):
        """Starts the program; returns the seconds until the first PONG."""
        log = open(os.path.join(self.directory, "log"), "ab")
        words = pinned(self.core) + [
            self.program, "--port", str(self.port), "--dir", self.directory, "--save", "",
            "--maxclients", "20000", "--enable-debug-command", "yes",
        ] + self.arguments
        began = time.monotonic()
        self.process = subprocess.Popen(words, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        while True:
            try:
                connection = Connection(self.port)
                connection.call("PING")
                connection.close()
                return time.monotonic() - began
            except (OSError, RuntimeError):
                pass
            if self.process.poll() is not None or time.monotonic() - began > START_PATIENCE_S:
                raise SystemExit("%s does not start; see %s/log" % (self.program, self.directory))
            time.sleep(0.002)

    def connect(self):
        return Connection(self.port)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        if self.process:
            self.process.wait()

    def remove(self):
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    @property
    def pid(self):
        return self.process.pid

    def cpu_ns(self):
        """Processor time of all threads so far."""
        total = 0
        for path in glob.glob("/proc/%d/task/*/schedstat" % self.pid):
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        return total

    def main_cpu_ns(self):
        """Processor time of the thread that runs the commands."""
        with open("/proc/%d/task/%d/schedstat" % (self.pid, self.pid), encoding="ascii") as file:
            return int(file.read().split()[0])

    def resident_bytes(self):
        with open("/proc/%d/status" % self.pid, encoding="ascii") as file:
            for line in file:
                if line.startswith("VmRSS:"):
                    return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def children(self):
        path = "/proc/%d/task/%d/children" % (self.pid, self.pid)
        with open(path, encoding="ascii") as file:
            return [int(pid) for pid in file.read().split()]


def sample_in_turn(sides, rounds, loads, sample):
    """Calls sample(kind, load, round) for each server in turn, on the client's core. Returns {load: {kind: median}}."""
    cores = os.sched_getaffinity(0)
    if len(cores) > 1 and CLIENT_CORE in cores:
        os.sched_setaffinity(0, {CLIENT_CORE})
    samples = {}
    try:
        for number in range(rounds):
            for load in loads:
                for kind in sides.in_turn(number):
                    samples.setdefault(load, {}).setdefault(kind, []).append(sample(kind, load, number))
    finally:
        os.sched_setaffinity(0, cores)
    return {load: {kind: statistics.median(values) for kind, values in of.items()} for load, of in samples.items()}


def proportional_bytes(pids):
    """Resident memory of several processes, pages that they share counted once (Pss)."""
    total = 0
    for pid in pids:
        try:
            with open("/proc/%d/smaps_rollup" % pid, encoding="ascii") as file:
                for line in file:
                    if line.startswith("Pss:"):
                        total += int(line.split()[1]) * 1024
        except (FileNotFoundError, ProcessLookupError):
            pass
    return total


def fill(connection, count, command):
    """Sends command(index) for every index below count in large pipelines; replies are lines or short strings, and none an error."""
    batch = 5000
    for start in range(0, count, batch):
        end = min(count, start + batch)
        connection.socket.sendall(b"".join([command(i) for i in range(start, end)]))
        for _ in range(start, end):
            line = connection.reader.readline()
            if line[:1] == b"$":  # XADD: an identifier follows
                line = b"+" + connection.reader.readline()
            if line[:1] not in b"+:":
                raise SystemExit("filling failed: %r" % line)
