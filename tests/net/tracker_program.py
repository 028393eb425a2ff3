"""peernet-tracker as a real process on loopback, and a client of BEP 15 in a few lines."""

import http.client
import json
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import time
import unittest

from child_program import Child

TRACKER = os.environ['PEERNET_TRACKER_PROGRAM']
DEADLINE_S = 60
CLEAN = {name: value for name, value in os.environ.items()
         if not name.startswith('PEERNET_TRACKER_') and name not in ('NOTIFY_SOCKET', 'LISTEN_FDS', 'LISTEN_PID', 'XDG_RUNTIME_DIR')}


def until(condition, what):
    end = time.monotonic() + DEADLINE_S
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f'{what} did not come to pass')
        time.sleep(0.01)
    return found


class Tracker(Child):
    """A running tracker. addresses: what it printed, as (host, port)."""

    DEADLINE_S = DEADLINE_S

    def __init__(self, words, cwd, env=None, program=(TRACKER,), **popen):
        words = [str(word) for word in words]
        super().__init__('peernet-tracker', words, [*program, *words], cwd=cwd, env={**CLEAN, **(env or {})}, **popen)

    def serving(self, count=1):
        self.until(lambda: len(self.out) >= count, f'{count} listening lines')
        return self

    @property
    def addresses(self):
        out = []
        for line in self.out:
            if not line.startswith('listening udp://'):
                raise AssertionError(f'a strange line\n{self}')
            host, port = line.removeprefix('listening udp://').rsplit(':', 1)
            out.append((host.strip('[]'), int(port)))
        return out

    def said(self, text):
        """Waits for a line on standard error that holds a text; the last of them."""
        self.line(text)
        return [line for line in self.err if text in line][-1]


class Client:
    """One peer of BEP 15."""

    MAGIC = 0x41727101980

    def __init__(self, address, source=None):
        family = socket.AF_INET6 if ':' in address[0] else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        if source:
            self.socket.bind(source)
        self.socket.connect(address)  # replies from elsewhere are not taken
        self.socket.settimeout(DEADLINE_S)
        self.transaction = 0
        self.id = None

    def close(self):
        self.socket.close()

    def ask(self, connection, action, body=b''):
        self.transaction += 1
        self.socket.send(struct.pack('>QII', connection, action, self.transaction) + body)
        while True:
            reply = self.socket.recv(2048)
            got, transaction = struct.unpack_from('>II', reply)
            if transaction == self.transaction:
                return got, reply[8:]

    def connect(self):
        action, body = self.ask(self.MAGIC, 0)
        assert action == 0 and len(body) == 8, (action, body)
        self.id, = struct.unpack('>Q', body)
        return self

    def announce(self, swarm, port, left=1, event=2, numwant=50):
        """(interval, leechers, seeders, peers), or the text of an error."""
        if self.id is None:
            self.connect()
        action, body = self.ask(self.id, 1, struct.pack('>20s20sQQQIIIiH', swarm, b'-PY0000-0123456789ab', 0, left, 0, event, 0, 0,
                                                        numwant, port))
        if action == 3:
            return body.decode()
        interval, leechers, seeders = struct.unpack_from('>III', body)
        size = 18 if self.socket.family == socket.AF_INET6 else 6
        family = self.socket.family
        peers = [(socket.inet_ntop(family, body[at:at + size - 2]), struct.unpack_from('>H', body, at + size - 2)[0])
                 for at in range(12, len(body), size)]
        return interval, leechers, seeders, peers

    def scrape(self, swarm):
        """(seeders, completed, leechers)"""
        if self.id is None:
            self.connect()
        action, body = self.ask(self.id, 2, swarm)
        assert action == 2, (action, body)
        return struct.unpack('>III', body)


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__('localhost', timeout=DEADLINE_S)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.connect(self.path)


def http_get(connection, path, method='GET', headers=None):
    """(status, headers, body) of a connection's one request."""
    try:
        connection.request(method, path, headers=headers or {})
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read().decode()
    finally:
        connection.close()


class TrackerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='peernet-tracker-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.started = []
        self.addCleanup(self.end_all)
        self.state = os.path.join(self.folder, 'state')

    def end_all(self):
        for tracker in self.started:
            tracker.end()

    def at(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, text):
        with open(self.at(name), 'w', encoding='utf-8') as file:
            file.write(text)
        return self.at(name)

    def start(self, *words, **options):
        tracker = Tracker(words, self.folder, **options)
        self.started.append(tracker)
        return tracker

    def serve(self, *words, **options):
        """A tracker on a free port of 127.0.0.1 that serves."""
        return self.start('--listen', '127.0.0.1:0', *words, **options).serving()

    def client(self, address, source=None):
        client = Client(address, source)
        self.addCleanup(client.close)
        return client

    def refused(self, code, *words, **options):
        """The one sentence of a tracker that does not start."""
        tracker = self.start(*words, **options)
        self.assertEqual(tracker.wait(), code, str(tracker))
        self.assertEqual(tracker.out, [], str(tracker))
        sentence = tracker.err[-1]
        self.assertRegex(sentence, r'^peernet-tracker: .*[.?]$')
        return sentence

    def ctl(self, *words, code=0, env=None):
        done = subprocess.run([TRACKER, 'ctl', *words], capture_output=True, text=True, env={**CLEAN, **(env or {})},
                              timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout if code == 0 else done.stderr

    def ctl_json(self, *words):
        return json.loads(self.ctl('--state', self.state, '--json', *words))
