"""The load generator's checks are checked: a tracker that lies in one way is caught in that way, one that makes everything up is
called wrong in everything, an honest one passes, and so does ours."""

import json
import os
import random
import socket
import struct
import subprocess
import tempfile
import threading
import unittest

BENCH = os.environ['PEERNET_BENCH_PROGRAM']
TRACKER = os.environ['PEERNET_TRACKER_PROGRAM']
DEADLINE_S = 60
SOURCES = 4
CONNECT, ANNOUNCE, SCRAPE, ERROR = 0, 1, 2, 3


def run(*words):
    return subprocess.run([BENCH, *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False)


def load(port, *words, host='127.0.0.1'):
    """(exit status, report)"""
    done = run('tracker-load', '--target', f'{host}:{port}', '--json', '--sources', str(SOURCES), '--timeout-ms', '300', *words)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def address_of(peer):
    """As the load numbers its peers."""
    return bytes([127, 1, 0, 1 + peer % SOURCES]) + struct.pack('>H', 1024 + peer // SOURCES)


class ScriptedTracker:
    """An honest BEP 15 tracker, but for lie(self, request, reply), which may spoil a reply; None: say nothing."""

    def __init__(self, lie=None):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.bind(('127.0.0.1', 0))
        self.port = self.socket.getsockname()[1]
        self.lie, self.swarms, self.stopped = lie, {}, []
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        self.socket.settimeout(0.1)
        while not self.over.is_set():
            try:
                request, client = self.socket.recvfrom(4096)
            except TimeoutError:
                continue
            reply = self.answer(request, client)
            if self.lie is not None and reply is not None:
                reply = self.lie(self, request, reply)
            if reply is not None:
                self.socket.sendto(reply, client)

    def answer(self, request, client):
        _, action, transaction = struct.unpack('>QII', request[:16])
        head = struct.pack('>II', action, transaction)
        if action == CONNECT:
            return head + b'12345678'
        if action == SCRAPE:
            hashes = [request[at:at + 20] for at in range(16, len(request), 20)]
            return head + b''.join(struct.pack('>III', *self.counts(name)) for name in hashes)
        swarm = self.swarms.setdefault(request[16:36], {})
        (left,), (event,), (numwant, port) = struct.unpack('>Q', request[64:72]), struct.unpack('>I', request[80:84]), struct.unpack('>iH', request[92:98])
        asker = socket.inet_aton(client[0]) + struct.pack('>H', port)
        if event == 3:
            swarm.pop(asker, None)
            self.stopped.append((request[16:36], asker))
        else:
            swarm[asker] = left == 0
        others = [peer for peer in swarm if peer != asker]
        seeders, _, leechers = self.counts(request[16:36])
        return head + struct.pack('>III', 1800, leechers, seeders) + b''.join(random.sample(others, min(numwant, len(others))))

    def counts(self, name):
        kinds = list(self.swarms.get(name, {}).values())
        return kinds.count(True), 0, kinds.count(False)

    def stop(self):
        self.over.set()
        self.thread.join()
        self.socket.close()


def in_announces(spoil):
    """A lie that is told in announce replies only."""
    def lie(tracker, request, reply):
        return spoil(tracker, request, reply) if reply[:4] == struct.pack('>I', ANNOUNCE) else reply
    return lie


class LoadTest(unittest.TestCase):
    def program(self, *command):
        """Starts a program that prints where it listens; the port."""
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stdout.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        line = process.stdout.readline()
        self.assertRegex(line, r'^listening udp://.*:\d+$')
        return int(line.rsplit(':', 1)[1])

    def scripted(self, lie=None):
        tracker = ScriptedTracker(lie)
        self.addCleanup(tracker.stop)
        return tracker.port

    def caught(self, check, lie, *words, phase='populate', swarms=4):
        """The lie is counted as `check`; nothing else is."""
        status, report = load(self.scripted(lie), '--swarms', str(swarms), '--peers', '100', '--window', '4', '--batch', '1', '--numwant', '5',
                              '--populate', *(words or ('--duration', '0')))
        counts = report['phases'][phase]['counts']
        self.assertEqual(status, 1, report)
        self.assertGreater(counts[check], 0, report)
        self.assertEqual(report['phases'][phase]['invalid'], counts[check], report)


class Lies(LoadTest):
    def test_an_honest_tracker_passes(self):
        status, report = load(self.scripted(), '--swarms', '4', '--peers', '100', '--populate', '--duration', '0.3', '--warmup', '0', '--churn', '0.3',
                              '--mix', '10:80:10', '--window', '8', '--verify')
        self.assertEqual(status, 0, report)
        self.assertEqual(report['verified'], {'swarms': 4, 'exact': 4, 'within_unsure': 0, 'wrong': 0, 'first_wrong': ''})
        self.assertGreater(report['phases']['run']['counts']['peers_listed'], 0)
        for kind in ('connects', 'announces', 'scrapes'):
            self.assertGreater(report['phases']['run']['counts'][kind], 0)

    def test_peers_that_are_none_of_ours(self):
        self.caught('alien', in_announces(lambda tracker, request, reply: reply[:-6] + b'\x08\x08\x08\x08\x1a\xe1' if len(reply) > 20 else reply))

    def test_peers_of_another_swarm(self):
        def spoil(tracker, request, reply):
            others = [peer for name, peers in tracker.swarms.items() if name != request[16:36] for peer in peers]
            return reply[:-6] + others[0] if len(reply) > 20 and others else reply
        self.caught('wrong_swarm', in_announces(spoil))

    def test_peers_that_never_announced(self):
        def spoil(tracker, request, reply):
            return reply[:-6] + address_of(99) if len(reply) > 20 and len(tracker.swarms[request[16:36]]) < 50 else reply
        self.caught('ghost', in_announces(spoil), swarms=1)

    def test_peers_that_had_stopped(self):
        def spoil(tracker, request, reply):
            gone = [peer for name, peer in tracker.stopped[:-10] if name == request[16:36] and peer not in tracker.swarms[name]]
            return reply[:-6] + gone[0] if len(reply) > 20 and gone else reply
        self.caught('stale', in_announces(spoil), '--duration', '0.5', '--warmup', '0', '--churn', '0.5', phase='run', swarms=1)

    def test_peers_listed_twice(self):
        self.caught('duplicate', in_announces(lambda tracker, request, reply: reply[:26] + reply[20:26] + reply[32:] if len(reply) > 32 else reply))

    def test_more_peers_than_wanted(self):
        def spoil(tracker, request, reply):
            extra = address_of(0)
            return reply + extra if len(reply) == 20 + 6 * 5 and extra not in [reply[at:at + 6] for at in range(20, 50, 6)] else reply
        self.caught('over_numwant', in_announces(spoil), swarms=1)

    def test_more_peers_than_the_swarm_ever_had(self):
        self.caught('bad_count', in_announces(lambda tracker, request, reply: reply[:12] + struct.pack('>II', 60, 60) + reply[20:]))

    def test_unknown_transactions(self):
        def spoil(tracker, request, reply):
            return reply[:4] + bytes([reply[4] ^ 0x80]) + reply[5:] if random.random() < 0.1 else reply
        self.caught('bad_transaction', in_announces(spoil))

    def test_other_actions(self):
        self.caught('bad_action', in_announces(lambda tracker, request, reply: struct.pack('>I', SCRAPE) + reply[4:]))

    def test_lengths(self):
        self.caught('bad_length', in_announces(lambda tracker, request, reply: reply[:-1]))

    def test_errors(self):
        status, report = load(self.scripted(in_announces(lambda tracker, request, reply: struct.pack('>I', ERROR) + reply[4:8] + b'not \x1btoday')),
                              '--swarms', '1', '--peers', '10', '--populate', '--duration', '0')
        self.assertEqual(status, 1)
        self.assertEqual(report['phases']['populate']['counts']['error_replies'], 10)
        self.assertIn('not \\x1btoday', report['phases']['populate']['first_error'])

    def test_lost_replies_are_asked_for_again(self):
        def lie(tracker, request, reply):
            return None if random.random() < 0.2 and reply[:4] != struct.pack('>I', CONNECT) else reply
        status, report = load(self.scripted(lie), '--swarms', '1', '--peers', '40', '--populate', '--duration', '0', '--verify')
        self.assertEqual(status, 0, report)
        self.assertGreater(report['phases']['populate']['counts']['lost'], 0)
        self.assertEqual(report['phases']['populate']['counts']['announces'], 40)
        self.assertEqual(report['verified']['exact'], 1)

    def test_counts_at_the_end(self):
        def lie(tracker, request, reply):
            return reply[:8] + struct.pack('>I', 0) + reply[12:] if reply[:4] == struct.pack('>I', SCRAPE) else reply
        status, report = load(self.scripted(lie), '--swarms', '4', '--peers', '100', '--populate', '--duration', '0', '--verify')
        self.assertEqual((status, report['verified']['wrong'], report['verified']['exact']), (1, 1, 3))
        self.assertIn('expected', report['verified']['first_wrong'])


class MadeUp(LoadTest):
    def setUp(self):
        self.port = self.program(BENCH, 'tracker-load', '--null', '0')

    def test_every_list_and_count_of_the_null_tracker_is_called_invalid(self):
        status, report = load(self.port, '--swarms', '10', '--peers', '200', '--populate', '--duration', '0', '--verify')
        counts = report['phases']['populate']['counts']
        self.assertEqual(status, 1)
        self.assertEqual((counts['lists_checked'], counts['alien']), (200, 200 * 30))
        self.assertGreater(counts['bad_count'], 0)
        self.assertEqual(report['verified']['wrong'], 10)

    def test_it_fails_on_bad_input(self):
        status, report = load(self.port, '--hostile', '--hostile-count', '64')
        failed = {category['name'] for category in report['categories'] if not category['pass']}
        self.assertEqual(status, 1)
        self.assertIn('announce_wrong_id', failed)
        self.assertIn('announce_id_of_other_address', failed)
        self.assertGreater(report['worst_amplification'], 1)

    def test_a_port_where_nobody_is(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as closed:
            closed.bind(('127.0.0.1', 0))
            port = closed.getsockname()[1]
        for words in ((), ('--hostile',)):
            self.assertEqual(load(port, *words)[0], 3)


class Words(LoadTest):
    def test_command_lines_that_make_no_sense(self):
        for words in ([], ['transfer'], ['--tracker'], ['tracker-load', 'x'], ['tracker-load', '--swarm', '1'], ['tracker-load', '--swarms'], ['tracker-load', '--swarms', '0'],
                      ['tracker-load', '--swarms', '1.5'], ['tracker-load', '--swarms', 'x'], ['tracker-load', '--mix', '1:2'], ['tracker-load', '--mix', '0:0:0'],
                      ['tracker-load', '--mode', 'sing'], ['tracker-load', '--peers', '1'], ['tracker-load', '--threads', '200'], ['tracker-load', '--target', 'here'],
                      ['tracker-load', '--target', '127.0.0.1:0'], ['tracker-load', '--src-base', '::1'], ['tracker-load', '--peers', '2000000'],
                      ['tracker-load', '--null', '70000'], ['tracker-load', '--nodes', '5', '--target', '[::1]:1'],
                      ['tracker-load', '--nodes', '5', '--contents-per-node', '9', '--swarms', '3']):
            with self.subTest(words=words):
                done = run(*words)
                self.assertEqual((done.returncode, done.stdout), (2, ''))
                self.assertRegex(done.stderr, r'^peernet-bench: [^\n]+\n$')

    def test_help_is_for_stdout(self):
        for words in (['--help'], ['--version'], ['tracker-load', '--help']):
            done = run(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ''))
            self.assertTrue(done.stdout)

    def test_hashes_are_printed(self):
        lines = run('tracker-load', '--print-hashes', '--swarms', '50').stdout.split()
        self.assertEqual(len(set(lines)), 50)
        self.assertEqual(lines[:5], run('tracker-load', '--print-hashes', '--swarms', '5').stdout.split())
        self.assertNotIn(lines[0], run('tracker-load', '--print-hashes', '--swarms', '50', '--seed', '2').stdout)


class Mode(LoadTest):
    """peernet-bench tracker, which starts a tracker and this load."""

    def mode(self, *words):
        return run('tracker', '--tracker', TRACKER, '--runs', '2', '--duration', '0.2', '--peers', '640', '--swarms', '100', *words)

    def test_a_result_has_the_figures_of_each_case(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, 'result.json')
            done = self.mode('--rate', '500', '--json', path)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(path, encoding='utf-8') as file:
                result = json.load(file)
        figures = {figure['id']: figure for figure in result['figures']}
        for case in ('announces', 'announces-at-rate', 'node-announces', 'heartbeats'):
            for name in ('per_second', 'per_cpu_second', 'p50', 'p99', 'longest', 'memory'):
                self.assertGreater(figures[f'{case}.{name}']['median'], 0)
                self.assertEqual(figures[f'{case}.{name}']['count'], 2)
            self.assertIn(next(row['label'] for row in result['rows'] if row['id'] == case), done.stdout)
            self.assertLessEqual(figures[f'{case}.p50']['median'], figures[f'{case}.longest']['median'])
        self.assertGreater(figures['heartbeats.contents_per_cpu_second']['median'], 10 * figures['heartbeats.per_cpu_second']['median'])
        self.assertEqual((result['mode'], result['settings']['peers']), ('tracker', 640))
        self.assertTrue(result['versions']['peernet-tracker'])

    def test_only_the_cases_that_are_asked_for(self):
        done = self.mode('--cases', 'heartbeats', '-q')
        self.assertEqual((done.returncode, done.stderr), (0, ''))
        self.assertNotIn('announces', done.stdout)

    def test_a_tracker_that_is_none(self):
        for program, reason in (('/bin/false', 'does not serve'), ('/bin/none', 'is no program')):
            done = self.mode('--tracker', program, '-q')
            self.assertEqual((done.returncode, done.stdout), (1, ''))
            self.assertRegex(done.stderr, f'^peernet-bench tracker: [^\n]*{reason}[^\n]*\n$')

    def test_words_that_make_no_sense(self):
        for words in (['--cases', 'x'], ['--peers', '64'], ['--rate', '0'], ['--target', 'x'], ['x']):
            done = self.mode(*words)
            self.assertEqual((done.returncode, done.stdout), (2, ''))
            self.assertRegex(done.stderr, r'^peernet-bench tracker: [^\n]+\n$')


class Ours(LoadTest):
    def tracker(self, address='127.0.0.1:0'):
        return self.program(TRACKER, '--listen', address, '--workers', '1')

    def passes(self, port, *words, **options):
        status, report = load(port, '--warmup', '0', *words, **options)
        self.assertEqual(status, 0, report)
        if 'verified' in report:
            self.assertEqual((report['verified']['wrong'], report['verified']['exact']), (0, report['swarms']))
        return report

    def test_stock_clients(self):
        report = self.passes(self.tracker(), '--swarms', '100', '--peers', '5000', '--populate', '--duration', '1', '--mix', '10:100:10', '--gso', '4', '--verify')
        self.assertEqual(report['phases']['run']['counts']['self_listed'], 0)
        self.assertEqual(report['phases']['run']['counts']['short_lists'], 0)
        self.assertGreater(report['phases']['run']['counts']['peers_listed'], 0)

    def test_stock_clients_over_ipv6(self):
        self.passes(self.tracker('[::1]:0'), '--swarms', '20', '--peers', '1000', '--populate', '--duration', '0.3', '--verify', host='[::1]')

    def test_an_open_loop_of_two_threads(self):
        report = self.passes(self.tracker(), '--swarms', '20', '--peers', '1000', '--populate', '--duration', '1', '--rate', '2000', '--batch', '1', '--threads', '2', '--verify')
        self.assertLess(report['phases']['run']['counts']['sent'], 2100)

    def test_nodes(self):
        for mode, kind, contents in (('heartbeat', 'heartbeats', 40), ('announce', 'node_announces', 1), ('query', 'queries', 40)):
            with self.subTest(mode=mode):
                report = self.passes(self.tracker(), '--nodes', '50', '--contents-per-node', str(contents), '--swarms', '60', '--mode', mode, '--duration', '0.3', '--verify')
                self.assertEqual(report['phases']['announce']['counts']['node_announces'], 50 * contents)
                self.assertGreater(report['phases']['run']['counts'][kind], 0)

    def test_bad_input(self):
        report = self.passes(self.tracker(), '--hostile', '--hostile-count', '256')
        self.assertLessEqual(report['worst_amplification'], 1.0)


if __name__ == '__main__':
    unittest.main()
