"""Stock aria2, transmission and libtorrent against the real peernet-tracker: they find each other through it alone and
finish a download. In a network namespace of its own, because transmission takes no peers at 127/8."""

import ctypes
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import unittest

from stock_clients import Aria2, Libtorrent, LIBC, Program, Torrent, Transmission, until

TRACKER = os.environ['PEERNET_TRACKER_PROGRAM']
CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
MAGIC = 0x41727101980
CONNECT, ANNOUNCE, SCRAPE = 0, 1, 2
FILE_BYTES = 3_000_000
PORT = 6969
TRACKER_V4, TRACKER_V6 = '10.255.46.100', 'fd00:46::100'
CLIENTS_V4 = [f'10.255.46.{number}' for number in range(1, 10)]
CLIENTS_V6 = [f'fd00:46::{number}' for number in range(1, 4)]


def enter_namespace():
    """Puts this process into a network namespace with the addresses of the test; returns why not, or None."""
    user, group = os.geteuid(), os.getegid()
    if LIBC.unshare(CLONE_NEWNET) != 0:
        if LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0:
            return f'network namespaces are not permitted here: {os.strerror(ctypes.get_errno())}'
        for name, text in (('setgroups', 'deny'), ('uid_map', f'0 {user} 1'), ('gid_map', f'0 {group} 1')):
            with open(f'/proc/self/{name}', 'w', encoding='ascii') as file:
                file.write(text)
    ip = shutil.which('ip', path=os.environ['PATH'] + ':/usr/sbin:/sbin')
    commands = ['link set lo up', *(f'addr add {address}/32 dev lo' for address in [TRACKER_V4, *CLIENTS_V4])]
    if os.path.exists('/proc/net/if_inet6'):
        commands += [f'addr add {address}/128 dev lo nodad' for address in [TRACKER_V6, *CLIENTS_V6]]
    for command in commands:
        subprocess.run([ip, *command.split()], check=True)
    return None


class BareClient:
    """BEP 15 in its plainest form, to see what the tracker says."""

    def __init__(self, address, tracker, program):
        self.program = program
        family = socket.AF_INET6 if ':' in address else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.bind((address, 0))
        self.socket.connect((tracker, PORT))
        self.socket.settimeout(1)

    def ask(self, connection, action, body=b''):
        """The reply behind action and transaction id; asks again when one is lost."""
        transaction = random.getrandbits(32)
        for _ in range(20):
            self.socket.send(struct.pack('>QII', connection, action, transaction) + body)
            try:
                reply = self.socket.recv(2000)
            except (TimeoutError, ConnectionRefusedError):
                continue
            if struct.unpack_from('>II', reply) == (action, transaction):
                return reply[8:]
        raise AssertionError(f'the tracker does not answer\n{self.program}')

    def connect(self):
        reply = self.ask(MAGIC, CONNECT)
        assert len(reply) == 8, f'a connect reply of {8 + len(reply)} bytes'
        return struct.unpack('>Q', reply)[0]

    def scrape(self, info_hash):
        """(seeders, completed, leechers)"""
        return struct.unpack('>III', self.ask(self.connect(), SCRAPE, info_hash))

    def announce(self, info_hash):
        body = info_hash + bytes(20) + struct.pack('>QQQIIIiH', 0, 1, 0, 2, 0, 0, -1, 9)
        return self.ask(self.connect(), ANNOUNCE, body)

    def close(self):
        self.socket.close()


class Swarm:
    """A torrent of its own and one client of each kind given: the first has the file, the others fetch it."""

    def __init__(self, case, kinds, addresses):
        self.case, self.kinds, self.addresses, self.clients = case, kinds, addresses, []
        self.folder = os.path.join(case.folder, '-'.join(['swarm', *(address.replace(':', '_') for address in addresses)]))
        os.makedirs(self.folder)
        data = random.Random(addresses[0]).randbytes(FILE_BYTES)
        self.torrent = Torrent(self.folder, 'content.bin', data, f'{case.url}/announce')

    def start(self, kind, address, seed=False):
        client = kind(self.folder, self.torrent, address, seed)
        self.case.addCleanup(client.end)
        self.clients.append(client)

    def start_seed(self):
        self.start(self.kinds[0], self.addresses[0], seed=True)

    def start_others(self):
        for kind, address in zip(self.kinds[1:], self.addresses[1:]):
            self.start(kind, address)

    def have_all(self):
        return all([client.has_all() for client in self.clients])

    def scrape(self):
        """(seeders, completed, leechers)"""
        return self.case.bare.scrape(self.torrent.info_hash)

    def __str__(self):
        return '\n'.join([f'swarm of a {self.kinds[0].__name__}; (seeders, completed, leechers) = {self.scrape()}',
                          *(str(client) for client in self.clients)])


class StockClients(unittest.TestCase):
    unusable = 'not tried'

    @classmethod
    def setUpClass(cls):
        if cls.unusable == 'not tried':
            cls.unusable = enter_namespace()

    def setUp(self):
        if self.unusable:
            self.skipTest(self.unusable)
        self.folder = tempfile.mkdtemp(prefix='peernet-clients-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.swarms = []

    def start_tracker(self, address):
        host = f'[{address}]' if ':' in address else address
        self.url = f'udp://{host}:{PORT}'
        state = os.path.join(self.folder, 'state')
        self.tracker = Program(self.folder, [TRACKER, '--listen', f'{host}:{PORT}', '--state', state])
        self.addCleanup(self.tracker.end)
        until(lambda: f'listening {self.url}' in self.tracker.output() or self.tracker.child.poll() is not None,
              'the tracker listening', lambda: str(self.tracker))
        self.assertIsNone(self.tracker.child.poll(), f'the tracker ended\n{self.tracker}')
        self.bare = BareClient(address, address, self.tracker)
        self.addCleanup(self.bare.close)

    def explain(self):
        return '\n'.join(str(thing) for thing in [*self.swarms, self.tracker])

    def until_all(self, condition, what):
        """Waits until the condition holds for every swarm."""
        until(lambda: all([condition(swarm) for swarm in self.swarms]), what, self.explain)

    def all_finish(self):
        """Each seed is listed before its leechers come: they find it, and each other, with their first announce."""
        for swarm in self.swarms:
            swarm.start_seed()
        self.until_all(lambda swarm: swarm.scrape() == (1, 0, 0), 'a seeder in each swarm')
        for swarm in self.swarms:
            swarm.start_others()
        self.until_all(Swarm.have_all, 'the whole file at every client')
        self.until_all(lambda swarm: swarm.scrape() == (len(swarm.kinds), len(swarm.kinds) - 1, 0),
                       'a tracker that counts every client as a seeder, and every download')
        for swarm in self.swarms:
            for client in swarm.clients[1:]:
                self.assertEqual(client.found_peers_by(), {'tracker'}, f'{client}\n{self.explain()}')

    def all_leave(self):
        for swarm in self.swarms:
            for client in swarm.clients:
                client.ask_to_end()
        # The last one takes the count of downloads with it.
        self.until_all(lambda swarm: swarm.scrape() == (0, 0, 0), 'a tracker that saw every client leave')
        self.tracker.ask_to_end(signal.SIGTERM)
        self.assertEqual(self.tracker.child.wait(30), 0, str(self.tracker))

    def test_each_kind_seeds_for_the_two_others(self):
        self.start_tracker(TRACKER_V4)
        kinds = [Transmission, Aria2, Libtorrent]
        for i in range(3):
            self.swarms.append(Swarm(self, kinds[i:] + kinds[:i], CLIENTS_V4[3 * i:3 * i + 3]))
        self.all_finish()
        self.all_leave()

    def test_over_ipv6_peers_have_18_bytes(self):
        if not os.path.exists('/proc/net/if_inet6'):
            self.skipTest('this host has no IPv6')
        self.start_tracker(TRACKER_V6)
        self.swarms.append(Swarm(self, [Libtorrent, Libtorrent], CLIENTS_V6[:2]))
        self.all_finish()
        asker = BareClient(CLIENTS_V6[2], TRACKER_V6, self.tracker)
        self.addCleanup(asker.close)
        peers = asker.announce(self.swarms[0].torrent.info_hash)[12:]
        listed = {socket.inet_ntop(socket.AF_INET6, peers[at:at + 16]) for at in range(0, len(peers), 18)}
        self.assertEqual((len(peers), listed), (36, set(CLIENTS_V6[:2])))


if __name__ == '__main__':
    unittest.main()
