"""What is measured: processor time per request, resident memory, snapshots.

Every measurement takes the servers in turn within one round, so that a disturbance of the machine meets both.
Compare only the ratios of one run.
"""

import os
import re
import random
import statistics
import subprocess
import time

from servers import (CLIENT_CORE, Server, allow_descriptors, fill, pinned, proportional_bytes)

KEYS = 1000000
VALUE_BYTES = 32
CLIENTS = 50


class Progress:
    """One line on a terminal that says how far it is; silence elsewhere."""

    def __init__(self, stream):
        self.stream = stream
        self.shown = stream.isatty()
        self.began = time.monotonic()

    def say(self, text):
        if self.shown:
            self.stream.write("\r\033[K[%4d s] %s" % (time.monotonic() - self.began, text))
            self.stream.flush()

    def end(self):
        if self.shown:
            self.stream.write("\r\033[K")
            self.stream.flush()


def set_command(value_of, *options):
    """A function that gives the bytes of SET key:INDEX VALUE OPTIONS; keys have 16 bytes as redis-benchmark's."""
    head = b"*%d\r\n$3\r\nSET\r\n$16\r\n" % (3 + len(options))
    tail = b"".join(b"$%d\r\n%s\r\n" % (len(option), option) for option in options)

    def command(index):
        value = value_of(index)
        return b"%skey:%012d\r\n$%d\r\n%s\r\n%s" % (head, index, len(value), value, tail)

    return command


def random_text(size):
    """A function that gives size letters that differ from index to index and do not compress."""
    source = random.Random(1).randbytes(4096 + size).hex().encode()
    return lambda index: b"%0*x" % (min(size, 8), index) + source[index % 4096:][:size - min(size, 8)]


class Sides:
    """The programs that are compared, ours last."""

    def __init__(self, programs):
        self.programs = programs

    def start(self, kind):
        return Server(kind, self.programs[kind])

    def in_turn(self, round_number):
        kinds = list(self.programs)
        return kinds if round_number % 2 == 0 else kinds[::-1]


def medians(samples):
    """{kind: {name: [values]}} to {kind: {name: median}}."""
    return {kind: {name: statistics.median(values) for name, values in rows.items()}
            for kind, rows in samples.items()}


# Processor time per request ------------------------------------------------------------------------------

LOADS = ["ping_mbulk", "get", "set", "incr", "mset"]

# What scripts are for: taking turns and counting.
SCRIPT_LIMIT = """local count = redis.call('INCR', KEYS[1])
if count == 1 then redis.call('PEXPIRE', KEYS[1], ARGV[1]) end
return count <= tonumber(ARGV[2]) and 1 or 0"""

# Loads that redis-benchmark has no test for. XRANGE reads what XADD left.
COMMANDS = {
    "xadd": ["XADD", "stream", "MAXLEN", "~", "1000000", "*", "sensor", "__rand_int__", "value", "12.5"],
    "xrange_10": ["XRANGE", "stream", "-", "+", "COUNT", "10"],
    "eval_1": ["EVAL", "return 1", "0"],
    "eval_get": ["EVAL", "return redis.call('GET', KEYS[1])", "1", "key:__rand_int__"],
    "eval_limit": ["EVAL", SCRIPT_LIMIT, "1", "limit:__rand_int__", "60000", "10"],
}


def requests_for(load, pipeline, quick):
    """Enough for a second or two."""
    count = {1: 200000}.get(pipeline, 1000000 if pipeline < 64 else 3000000)
    if load == "mset":
        count //= 4
    return count // 8 if quick else count


def run_benchmark(server, load, pipeline, count):
    """Returns (server microseconds per request, requests per second)."""
    words = pinned(CLIENT_CORE) + benchmark_words(server, load, pipeline, count, CLIENTS)
    before = server.cpu_ns()
    speed = requests_per_second(words)
    return (server.cpu_ns() - before) / count / 1000, speed


def benchmark_words(server, load, pipeline, count, clients):
    words = ["redis-benchmark", "-p", str(server.port), "-n", str(count), "-P", str(pipeline), "-c", str(clients),
             "-r", str(KEYS), "-d", str(VALUE_BYTES), "--csv"]
    return words + (COMMANDS[load] if load in COMMANDS else ["-t", load])


def requests_per_second(words):
    """Runs redis-benchmark."""
    result = subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    figures = re.findall(r'",?"([0-9.]+)"', result.stdout)  # the title in front may hold commas and line ends
    if result.returncode != 0 or not figures or "rror" in result.stdout:
        raise SystemExit("%s: %s" % (" ".join(words), result.stdout[-500:]))
    return float(figures[0])


def measure_cpu(sides, options, progress):
    """Returns rows: (load, pipeline, {kind: us per request}, {kind: requests per second})."""
    servers = {}
    try:
        for kind in sides.in_turn(0):
            progress.say("cpu: filling %s" % kind)
            servers[kind] = sides.start(kind)
            connection = servers[kind].connect()
            fill(connection, KEYS, set_command(random_text(VALUE_BYTES)))
            connection.close()
        samples = {}
        for number in range(options.rounds):
            for pipeline in options.pipelines:
                for load in options.loads:
                    for kind in sides.in_turn(number):
                        progress.say("cpu: round %d of %d, %s, pipeline %d, %s" %
                                     (number + 1, options.rounds, load, pipeline, kind))
                        count = requests_for(load, pipeline, options.quick)
                        one = run_benchmark(servers[kind], load, pipeline, count)
                        samples.setdefault((load, pipeline), {}).setdefault(kind, []).append(one)
        rows = []
        for pipeline in options.pipelines:
            for load in options.loads:
                of = samples[(load, pipeline)]
                rows.append((load, pipeline,
                             {kind: statistics.median(one[0] for one in of[kind]) for kind in of},
                             {kind: statistics.median(one[1] for one in of[kind]) for kind in of}))
        return rows
    finally:
        for server in servers.values():
            server.remove()


# Resident memory -----------------------------------------------------------------------------------------

def words_command(words_of):
    """A function that gives the bytes of a command from a function that gives its words."""

    def command(index):
        words = words_of(index)
        return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)

    return command


def small_hash_words(index):
    words = [b"HSET", b"key:%012d" % index]
    for field in range(5):
        words += [b"field%d" % field, b"%06x:%05x" % (index * 7 % 16777216, field)]
    return words


MEMORY_ROWS = [
    ("16-byte key, 32-byte string", set_command(random_text(32))),
    ("16-byte key, 8-byte string", set_command(lambda index: b"v%07x" % index)),
    ("16-byte key, integer", set_command(lambda index: b"%d" % (1000000000 + index))),
    ("16-byte key, 32-byte string, TTL", set_command(random_text(32), b"EX", b"1000000")),
    ("16-byte key, hash of 5 short fields", words_command(small_hash_words)),
    ("17-byte member of one set", words_command(lambda index: [b"SADD", b"set", b"member:%010d" % index])),
    ("16-byte field, 16-byte value of one hash",
     words_command(lambda index: [b"HSET", b"hash", b"field:%010d" % index, b"value:%010x" % index])),
    ("17-byte member of one sorted set",
     words_command(lambda index: [b"ZADD", b"zset", b"%d" % (index * 7919 % 10000000), b"member:%010d" % index])),
    ("17-byte element of one list", words_command(lambda index: [b"RPUSH", b"list", b"member:%010d" % index])),
    ("entry of one stream, two fields",
     words_command(lambda index: [b"XADD", b"stream", b"%d-%d" % (1700000000000 + index // 3, index % 3),
                                  b"sensor", b"%06d" % (index * 7919 % 1000000), b"value", b"12.5"])),
]


def bytes_per_item(sides, kind, command_of, count):
    with sides.start(kind) as server:
        connection = server.connect()
        fill(connection, 1000, command_of)
        connection.call("FLUSHALL")
        before = server.resident_bytes()
        fill(connection, count, command_of)
        time.sleep(1)
        after = server.resident_bytes()
        connection.close()
        return (after - before) / count


def bytes_per_connection(sides, kind, wanted):
    count = min(wanted, allow_descriptors(wanted + 200) - 200)
    with sides.start(kind) as server:
        probe = server.connect()
        probe.call("PING")
        before = server.resident_bytes()
        connections = []
        for _ in range(count):
            connections.append(server.connect())
            connections[-1].call("PING")
        time.sleep(4)  # servers give back buffers of clients that have been idle for a moment
        after = server.resident_bytes()
        for connection in connections:
            connection.close()
        probe.close()
        return (after - before) / count


def measure_memory(sides, options, progress):
    """Returns rows: (what, {kind: bytes})."""
    count = KEYS // 4 if options.quick else KEYS
    rows = []
    for name, command_of in MEMORY_ROWS:
        row = {}
        for kind in sides.in_turn(0):
            progress.say("memory: %s, %s" % (name, kind))
            row[kind] = bytes_per_item(sides, kind, command_of, count)
        rows.append((name, row))
    row = {}
    for kind in sides.in_turn(0):
        progress.say("memory: idle connections, %s" % kind)
        row[kind] = bytes_per_connection(sides, kind, 2000 if options.quick else 10000)
    rows.append(("connection, idle", row))
    return rows


# Snapshots -----------------------------------------------------------------------------------------------

SNAPSHOT_ROWS = [
    ("SAVE", "s"),
    ("restart to first PONG", "s"),
    ("fork stall", "ms"),
    ("peak memory during BGSAVE under overwrites", "x"),
]


def await_bgsave(connection):
    while connection.info("rdb_bgsave_in_progress") != "0":
        time.sleep(0.01)
    if connection.info("rdb_last_bgsave_status") != "ok":
        raise SystemExit("BGSAVE failed")


def peak_under_overwrites(server, connection, keys):
    """Peak of the memory of server and child together while every key is overwritten at random, as a multiple
    of the server's memory before."""
    base = proportional_bytes([server.pid])
    words = pinned(CLIENT_CORE) + [
        "redis-benchmark", "-p", str(server.port), "-t", "set", "-n", "1000000000", "-P", "16", "-c", str(CLIENTS),
        "-r", str(keys), "-d", str(VALUE_BYTES), "-q",
    ]
    load = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.3)
        connection.call("BGSAVE")
        peak = base
        while connection.info("rdb_bgsave_in_progress") != "0":
            peak = max(peak, proportional_bytes([server.pid] + server.children()))
            time.sleep(0.02)
        return peak / base
    finally:
        load.kill()
        load.wait()


def measure_snapshot_once(sides, kind, keys, progress, title):
    """Returns {row name: value}."""
    found = {}
    with sides.start(kind) as server:
        progress.say("%s: filling" % title)
        connection = server.connect()
        fill(connection, keys, set_command(random_text(VALUE_BYTES)))
        progress.say("%s: SAVE" % title)
        began = time.monotonic()
        connection.call("SAVE")
        found["SAVE"] = time.monotonic() - began
        connection.call("BGSAVE")
        await_bgsave(connection)
        found["fork stall"] = int(connection.info("latest_fork_usec")) / 1000
        connection.close()
        progress.say("%s: restart" % title)
        server.kill()
        found["restart to first PONG"] = server.start()
        connection = server.connect()
        if connection.call("DBSIZE") != keys:
            raise SystemExit("%s lost keys over the restart" % kind)
        progress.say("%s: BGSAVE under overwrites" % title)
        found["peak memory during BGSAVE under overwrites"] = peak_under_overwrites(server, connection, keys)
        connection.close()
    return found


def measure_snapshot(sides, options, progress):
    """Returns rows: (what, unit, {kind: value})."""
    keys = 500000 if options.quick else 3000000
    rounds = 1 if options.quick else min(options.rounds, 3)
    samples = {kind: {} for kind in sides.in_turn(0)}
    for number in range(rounds):
        for kind in sides.in_turn(number):
            title = "snapshot: round %d of %d, %s" % (number + 1, rounds, kind)
            for name, value in measure_snapshot_once(sides, kind, keys, progress, title).items():
                samples[kind].setdefault(name, []).append(value)
    middle = medians(samples)
    return [(name, unit, {kind: middle[kind][name] for kind in middle}) for name, unit in SNAPSHOT_ROWS]


def describe_machine():
    model = "unknown processor"
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return "%s, %d cores, Linux %s" % (model, os.cpu_count() or 1, os.uname().release)
