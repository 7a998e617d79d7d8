"""Measures what a message costs the server for each subscriber that it is delivered to.

One process holds all subscribers and the publishers. A publisher that awaits deliveries sends a pipeline of messages,
takes every byte of every copy, and begins again: every message is sent alone. Other publishers send their next message
as soon as they have the reply to the last one, while the subscribers read.
"""

import select

from servers import allow_descriptors, sample_in_turn

# (subscribers, publishers, messages that each publishes at once, whether the publisher awaits all deliveries)
LOADS = [(1, 1, 1, True), (1, 1, 100, True), (1000, 1, 1, True), (1000, 1, 16, True), (1000, 1, 100, True),
         (1000, 1, 1, False), (1000, 8, 1, False), (1000, 50, 1, False),
         (10000, 1, 1, True), (10000, 1, 16, True), (10000, 1, 1, False), (10000, 50, 1, False)]
CHANNEL = b"news"
MESSAGE = b"m" * 32
PUBLISH = b"*3\r\n$7\r\nPUBLISH\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(CHANNEL), CHANNEL, len(MESSAGE), MESSAGE)
DELIVERED = b"*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n" % (len(CHANNEL), CHANNEL, len(MESSAGE), MESSAGE)
DELIVERIES = 2000000


class Audience:
    """Subscribers of the channel, read together."""

    def __init__(self, server, count):
        self.poll = select.epoll()
        self.sockets = {}
        self.connections = []
        for _ in range(count):
            connection = server.connect()
            connection.call("SUBSCRIBE", CHANNEL)
            connection.socket.setblocking(False)
            self.connections.append(connection)
            self.sockets[connection.socket.fileno()] = connection.socket
            self.poll.register(connection.socket.fileno(), select.EPOLLIN)

    def receive(self, total):
        """Takes this many bytes from all of them together."""
        while total > 0:
            for descriptor, _ in self.poll.poll():
                data = self.sockets[descriptor].recv(65536)
                if not data:
                    raise SystemExit("the server closed a subscriber's connection")
                total -= len(data)
        if total < 0:
            raise SystemExit("subscribers received more than was published")

    def close(self):
        self.poll.close()
        for connection in self.connections:
            connection.close()


def cost_of_delivery(server, subscribers, pipeline, deliveries):
    """Returns the server's microseconds per delivered message."""
    audience = Audience(server, subscribers)
    publisher = server.connect()
    reply = (b":%d\r\n" % subscribers) * pipeline
    rounds = max(20, deliveries // (subscribers * pipeline))

    def publish():
        publisher.socket.sendall(PUBLISH * pipeline)
        audience.receive(len(DELIVERED) * subscribers * pipeline)
        if publisher.reader.read(len(reply)) != reply:
            raise SystemExit("PUBLISH did not reach everybody")

    for _ in range(3):
        publish()
    before = server.cpu_ns()
    for _ in range(rounds):
        publish()
    spent = server.cpu_ns() - before
    publisher.close()
    audience.close()
    return spent / (rounds * pipeline * subscribers) / 1000


def cost_with_publishers(server, subscribers, publishers, deliveries):
    """As cost_of_delivery, with publishers that wait for the reply to each message but not for its delivery."""
    audience = Audience(server, subscribers)
    total = max(publishers, deliveries // subscribers)
    by_descriptor = {}
    for _ in range(publishers):
        connection = server.connect()
        connection.socket.setblocking(False)
        by_descriptor[connection.socket.fileno()] = connection.socket
        audience.poll.register(connection.socket.fileno(), select.EPOLLIN)
    before = server.cpu_ns()
    sent, expected = 0, len(DELIVERED) * subscribers * total
    for publisher in by_descriptor.values():
        publisher.send(PUBLISH)
        sent += 1
    while expected > 0:
        for descriptor, _ in audience.poll.poll():
            publisher = by_descriptor.get(descriptor)
            if publisher is None:
                expected -= len(audience.sockets[descriptor].recv(65536))
                continue
            publisher.recv(64)
            if sent < total:
                publisher.send(PUBLISH)
                sent += 1
    spent = server.cpu_ns() - before
    for publisher in by_descriptor.values():
        publisher.close()
    audience.close()
    return spent / (total * subscribers) / 1000


def cost(server, load, deliveries):
    subscribers, publishers, pipeline, awaits = load
    if awaits:
        return cost_of_delivery(server, subscribers, pipeline, deliveries)
    return cost_with_publishers(server, subscribers, publishers, deliveries)


def measure_publish(sides, options, progress):
    """Returns rows: (subscribers, publishers, pipeline, awaits, {kind: us per delivered message})."""
    allowed = allow_descriptors(max(load[0] for load in LOADS) + 300) - 300

    def sample(kind, load, number):
        progress.say("publish: round %d of %d, %d subscribers, %d publishers, pipeline %d, %s" %
                     (number + 1, options.rounds, *load[:3], kind))
        deliveries = DELIVERIES if load[0] > 1 else DELIVERIES // 20 * min(load[2], 10)
        with sides.start(kind) as server:
            return cost(server, load, deliveries // 8 if options.quick else deliveries)

    loads = [load for load in LOADS if load[0] <= allowed]
    found = sample_in_turn(sides, options.rounds, loads, sample)
    return [load + (found[load],) for load in loads]
