"""Measures what a request costs the server inside transactions.

50 connections send pipelines of transactions, each MULTI, some INCRs of random keys and EXEC, and take all replies
before they begin again.
"""

import random

from servers import sample_in_turn

# (INCRs in a transaction, transactions sent at once)
LOADS = [(1, 1), (1, 16), (10, 1), (10, 16), (100, 1)]
CLIENTS = 50
KEYS = 100000
REQUESTS = 3000000
PIPELINES = 100


def request(*words):
    return b"*%d\r\n" % len(words) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)


def pipelines(increments, transactions):
    """Different pipelines of transactions, the same in every run."""
    chance = random.Random(1)
    made = []
    for _ in range(PIPELINES):
        parts = []
        for _ in range(transactions):
            parts.append(request(b"MULTI"))
            parts += [request(b"INCR", b"key:%012d" % chance.randrange(KEYS)) for _ in range(increments)]
            parts.append(request(b"EXEC"))
        made.append(b"".join(parts))
    return made


def take_lines(connection, count):
    while count > 0:
        data = connection.socket.recv(1 << 20)
        if not data:
            raise SystemExit("the server closed the connection")
        count -= data.count(b"\n")
    if count < 0:
        raise SystemExit("more replies than requests")


def cost(server, load, requests):
    """Returns the server's microseconds per request, MULTI and EXEC included."""
    increments, transactions = load
    connections = [server.connect() for _ in range(CLIENTS)]
    lines = (2 + 2 * increments) * transactions  # of the replies: OK, QUEUED for each, the array, its numbers
    made = pipelines(increments, transactions)

    def run(number):
        for index, connection in enumerate(connections):
            connection.socket.sendall(made[(number + index) % PIPELINES])
        for connection in connections:
            take_lines(connection, lines)

    for number in range(PIPELINES // CLIENTS + 1):
        run(number)
    in_round = (2 + increments) * transactions * CLIENTS
    rounds = max(20, requests // in_round)
    before = server.cpu_ns()
    for number in range(rounds):
        run(number)
    spent = server.cpu_ns() - before
    for connection in connections:
        connection.close()
    return spent / (rounds * in_round) / 1000


def measure_transactions(sides, options, progress):
    """Returns rows: (INCRs, transactions at once, {kind: us per request})."""

    def sample(kind, load, number):
        progress.say("transactions: round %d of %d, %d INCRs, pipeline %d, %s" %
                     (number + 1, options.rounds, *load, kind))
        requests = REQUESTS if load[0] * load[1] > 1 else REQUESTS // 10
        with sides.start(kind) as server:
            return cost(server, load, requests // 10 if options.quick else requests)

    found = sample_in_turn(sides, options.rounds, LOADS, sample)
    return [load + (found[load],) for load in LOADS]
