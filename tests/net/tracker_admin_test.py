"""The admin side of peernet-tracker: ctl over its socket, metrics, health, the status page, and whom it refuses."""

import http.client
import json
import os
import re
import socket
import stat
import struct
import unittest

from tracker_program import DEADLINE_S, Client, TrackerTest, UnixConnection, http_get, until

SWARM = bytes.fromhex('ab' * 20)
OTHER = bytes.fromhex('abac' + 'ab' * 18)
EXTENSION = 0x504e5431


class Node(Client):
    """One PeerNet node, as far as an announce goes."""

    def connect_extended(self):
        self.transaction += 1
        self.socket.send(struct.pack('>QIII', self.MAGIC, 0, self.transaction, EXTENSION).ljust(64, b'\0'))
        reply = self.socket.recv(2048)
        assert struct.unpack_from('>II', reply) == (0, self.transaction), reply
        self.id, = struct.unpack_from('>Q', reply, 8)

    def announce_node(self, swarm, owned, chunks=128, flags=0x02, rate_kib=2048):
        action, _ = self.ask(self.id, 64, swarm + bytes(range(16)) + struct.pack('>BBBBII', flags, 20, 0, 0, chunks, rate_kib) + owned)
        assert action == 64, action


class Ctl(TrackerTest):
    def setUp(self):
        super().setUp()
        self.tracker = self.serve('--state', self.state)
        self.address = self.tracker.addresses[0]

    def ask(self, *words, **options):
        return self.ctl('--state', self.state, *words, **options)

    def test_the_socket_is_for_its_owner(self):
        mode = os.stat(os.path.join(self.state, 'admin.sock')).st_mode
        self.assertTrue(stat.S_ISSOCK(mode))
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_swarms_and_peers_of_other_clients(self):
        self.assertEqual(len(self.ask('swarms').splitlines()), 1)
        seeder, leecher = self.client(self.address), self.client(self.address)
        seeder.announce(SWARM, 1000, left=0)
        leecher.announce(SWARM, 1001)
        leecher.announce(SWARM, 1001, left=0, event=1)
        leecher.announce(OTHER, 1001)
        lines = self.ask('swarms').splitlines()
        self.assertEqual(lines[0].split(), ['KEY', 'COMPLETE', 'PARTIAL', 'SEEDERS', 'LEECHERS', 'COMPLETED'])
        self.assertEqual(lines[1].split(), [SWARM.hex(), '0', '0', '2', '0', '1'])
        self.assertEqual(lines[2].split(), [OTHER.hex(), '0', '0', '0', '1', '0'])
        self.assertEqual(self.ctl_json('swarms')['swarms'][0]['legacy_seeders'], 2)
        peers = self.ask('peers', SWARM.hex().upper())
        self.assertIn('127.0.0.1:1000', peers)
        self.assertIn('legacy', peers)

    def test_peers_of_nodes_with_their_parts(self):
        node = Node(self.address)
        self.addCleanup(node.close)
        node.connect_extended()
        node.announce_node(SWARM, b'\xff' * 8 + bytes(8))
        text = self.ask('peers', SWARM.hex()[:6])
        self.assertIn('#' * 16 + '.' * 16 + '  50%', text)
        self.assertIn('2.0 MiB/s', text)
        self.assertIn(bytes(range(16)).hex(), text)
        peer, = self.ctl_json('peers', SWARM.hex())['peers']
        self.assertEqual((peer['kind'], peer['chunks'], peer['rate_kib'], peer['complete'], peer['served']),
                         ('node', 128, 2048, False, True))
        self.assertLess(peer['age_ms'], DEADLINE_S * 1000)
        self.assertEqual(self.ctl_json('swarms')['swarms'][0]['nodes_partial'], 1)

    def test_keys_by_their_front(self):
        client = self.client(self.address)
        client.announce(SWARM, 1000)
        client.announce(OTHER, 1000)
        self.assertIn(SWARM.hex(), self.ask('peers', 'ABAB'))
        self.assertIn('4', self.ask('peers', 'aba', code=2))
        self.ask('peers', 'ffff', code=3)
        client.announce(SWARM[:-1] + b'x', 1000)
        self.assertIn('more digits', self.ask('peers', 'abab', code=2))

    def test_nobody_there(self):
        self.assertIn('no tracker answers', self.ctl('--socket', self.at('nothing'), 'stats', code=4))
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.at('dead'))
        self.assertIn('no tracker answers', self.ctl('--socket', self.at('dead'), 'stats', code=4))
        self.assertIn('longer', self.ctl('--socket', self.at('x' * 200), 'stats', code=2))

    def test_a_socket_that_was_left_behind_is_replaced(self):
        self.tracker.end()  # killed: the socket stays
        self.assertTrue(os.path.exists(os.path.join(self.state, 'admin.sock')))
        self.serve('--state', self.state)
        self.assertEqual(self.ctl_json('stats')['contents'], 0)


class DefaultSocket(TrackerTest):
    def test_without_a_state_folder_it_is_in_the_runtime_folder(self):
        env = {'XDG_RUNTIME_DIR': self.folder}
        self.serve(env=env)
        self.assertTrue(os.path.exists(self.at('peernet-tracker', 'admin.sock')))
        self.assertIn('contents', self.ctl('stats', env=env))
        self.serve(env=env).said('another tracker answers')
        self.assertIn('contents', self.ctl('stats', env=env))

    def test_a_socket_that_was_left_behind_is_the_last_choice(self):
        os.mkdir(self.at('peernet-tracker'))
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.at('peernet-tracker', 'admin.sock'))
        tracker = self.serve()  # without a runtime folder it takes /run, if it may
        if not os.path.exists('/run/peernet-tracker/admin.sock') or any('There is no socket' in line for line in tracker.err):
            self.skipTest('/run is not ours')
        env = {'XDG_RUNTIME_DIR': self.folder}
        self.assertIn('contents', self.ctl('stats', env=env))
        self.assertEqual(tracker.stop(), 0)
        self.assertIn(self.at('peernet-tracker', 'admin.sock'), self.ctl('stats', env=env, code=4))

    def test_a_path_that_is_too_long_is_told(self):
        tracker = self.serve('--state', self.at('x' * 120))
        tracker.said('longer than sockets allow')
        self.assertIsInstance(self.client(tracker.addresses[0]).announce(SWARM, 1000), tuple)


class Http(TrackerTest):
    def setUp(self):
        super().setUp()
        self.tracker = self.serve('--state', self.state, '--admin', '127.0.0.1:0')
        self.host, port = re.search(r'http://([0-9.]+):(\d+)/', self.tracker.said('http://')).groups()
        self.port = int(port)

    def get(self, path, **options):
        return http_get(http.client.HTTPConnection(self.host, self.port, timeout=DEADLINE_S), path, **options)

    def test_health(self):
        self.assertEqual(self.get('/healthz')[0::2], (200, 'ok\n'))

    def test_metrics_parse(self):
        self.client(self.tracker.addresses[0]).announce(SWARM, 1000)
        status, headers, body = self.get('/metrics')
        self.assertEqual(status, 200)
        self.assertIn('version=0.0.4', headers['Content-Type'])
        typed, values = {}, {}
        for line in body.splitlines():
            if line.startswith('# TYPE '):
                _, _, name, kind = line.split(' ')
                self.assertNotIn(name, typed)
                typed[name] = kind
            elif not line.startswith('# HELP '):
                name, value = line.rsplit(' ', 1)
                self.assertIn(name.split('{')[0], typed)
                self.assertNotIn(name, values)
                values[name] = float(value)
        self.assertEqual(values['peernet_tracker_announces_total'], 1)
        self.assertEqual(values['peernet_tracker_connects_total'], 1)
        self.assertEqual(values['peernet_tracker_contents'], 1)
        self.assertEqual(values['peernet_tracker_peers{kind="legacy_ipv4"}'], 1)
        self.assertEqual(values['peernet_tracker_refusals_total{reason="bad_connection_id"}'], 0)
        self.assertGreater(values['process_resident_memory_bytes'], 0)
        self.assertNotIn('peernet_tracker_snapshot_age_seconds', values)
        client = self.client(self.tracker.addresses[0])
        client.socket.send(b'x' * 10)
        client.connect()
        self.assertRegex(self.get('/metrics')[2], r'refusals_total\{reason="too_short"\} 1\n')

    def test_the_status_page(self):
        status, headers, body = self.get('/')
        self.assertEqual(status, 200)
        self.assertIn("default-src 'none'", headers['Content-Security-Policy'])
        self.assertIn('/api/swarms', body)
        self.assertNotIn('Access-Control-Allow-Origin', headers)

    def test_the_api(self):
        self.client(self.tracker.addresses[0]).announce(SWARM, 1000)
        self.assertEqual(json.loads(self.get('/api/swarms?prefix=abab')[2])['swarms'][0]['key'], SWARM.hex())
        self.assertEqual(json.loads(self.get('/api/swarms?prefix=cd')[2])['swarms'], [])
        self.assertEqual(json.loads(self.get(f'/api/peers/{SWARM.hex()}')[2])['peers'][0]['address'], '127.0.0.1:1000')
        self.assertEqual(json.loads(self.get('/api/stats')[2])['contents'], 1)
        self.assertEqual(self.get('/api/peers/' + 'f' * 40)[0], 404)

    def test_only_reading_and_only_by_number_or_localhost(self):
        for method in ('POST', 'PUT', 'DELETE', 'OPTIONS', 'HEAD'):
            self.assertEqual(self.get('/healthz', method=method)[0], 405, method)
        self.assertEqual(self.get('/api/stats', headers={'Host': 'evil.example'})[0], 403)
        self.assertEqual(self.get('/api/stats', headers={'Host': f'localhost:{self.port}'})[0], 200)
        path = os.path.join(self.state, 'admin.sock')
        self.assertEqual(http_get(UnixConnection(path), '/api/stats', headers={'Host': 'any.name'})[0], 200)

    def test_nonsense_and_silence_leave_it_answering(self):
        silent = [socket.create_connection((self.host, self.port)) for _ in range(100)]
        for connection in silent:
            self.addCleanup(connection.close)
        silent[0].sendall(b'\0\xff' * 5000 + b'\r\n\r\n')
        silent[1].sendall(b'GET / HTTP/1.1\r\n' + b'A: b\r\n' * 10000)
        # Others wait at most for as long as a connection may live.
        until(lambda: self.healthy(), 'an answer')
        self.assertIsInstance(self.client(self.tracker.addresses[0]).announce(SWARM, 1000), tuple)

    def test_who_reads_slowly_holds_up_neither_health_nor_metrics_and_the_number_of_them_is_bounded(self):
        client = self.client(self.tracker.addresses[0])
        for number in range(4000):  # more than the socket takes by itself
            client.announce(struct.pack('>I', number) + SWARM[4:], 1000)
        path = os.path.join(self.state, 'admin.sock')

        def status(page):
            return http_get(UnixConnection(path), page)[0]

        slow = []
        for _ in range(16):
            slow.append(socket.socket(socket.AF_UNIX))
            self.addCleanup(slow[-1].close)
            slow[-1].connect(path)
            slow[-1].sendall(b'GET /api/swarms?limit=10000 HTTP/1.0\r\n\r\n')
        until(lambda: status('/api/stats') == 503, 'a refusal')
        self.assertEqual(status('/healthz'), 200)
        self.assertEqual(status('/metrics?x=y'), 200)
        self.assertEqual(self.get('/api/stats')[0::2], (503, 'too many questions at once: ask again\n'))
        slow.pop().close()
        until(lambda: status('/api/stats') == 200, 'a place')
        with slow[0].makefile('rb') as whole:
            self.assertEqual(len(json.loads(whole.read().split(b'\r\n\r\n')[1])['swarms']), 4000)

    def test_a_request_may_come_in_pieces(self):
        with socket.create_connection((self.host, self.port), timeout=DEADLINE_S) as slow:
            for piece in (b'GET /hea', b'lthz HTTP/1.0\r\n', b'X: y\r\n\r', b'\n'):
                self.assertTrue(self.healthy())  # nobody waits for it
                slow.sendall(piece)
            with slow.makefile('rb') as answer:
                self.assertIn(b' 200 ', answer.readline())

    def healthy(self):
        try:
            return self.get('/healthz')[0] == 200
        except OSError:
            return False
        except http.client.HTTPException:
            return False

    def test_another_address_than_loopback_must_be_said(self):
        self.serve('--admin', '0.0.0.0:0').said('no password')
        self.assertTrue(all('password' not in line for line in self.tracker.err))


if __name__ == '__main__':
    unittest.main()
