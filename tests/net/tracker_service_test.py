"""peernet-tracker as a service: what it prints, where its settings come from, signals, snapshots, many sockets and workers."""

import json
import os
import resource
import shutil
import signal
import socket
import stat
import struct
import subprocess
import sys
import time
import unittest

from tracker_program import CLEAN, DEADLINE_S, TRACKER, Client, TrackerTest, until

SWARM = bytes(range(20))
OTHER = bytes(range(1, 21))
# Passes descriptors 3, 4, ... as a service manager does: the names of its arguments are theirs already.
PASS_SOCKETS = [sys.executable, '-c',
                'import os, sys; os.environ["LISTEN_PID"] = str(os.getpid()); os.execv(sys.argv[1], sys.argv[1:])']


class Start(TrackerTest):
    def test_help_and_version_are_for_stdout(self):
        for words in (['--help'], ['-h'], ['--version'], ['ctl', '--help']):
            tracker = self.start(*words)
            self.assertEqual(tracker.wait(), 0)
            self.assertTrue(tracker.out)
            self.assertEqual(tracker.err, [])

    def test_it_prints_each_socket_with_its_real_port_and_answers_there(self):
        tracker = self.start('--listen', '127.0.0.1:0', '--listen', '[::1]:0').serving(2)
        self.assertEqual([host for host, _ in tracker.addresses], ['127.0.0.1', '::1'])
        for address in tracker.addresses:
            self.assertGreater(address[1], 0)
            swarm = os.urandom(20)
            self.assertEqual(self.client(address).announce(swarm, 1000), (1800, 1, 0, []))

    def test_the_default_address_takes_both_families(self):
        tracker = self.start('--listen', '[::]:0').serving()
        port = tracker.addresses[0][1]
        self.assertEqual(tracker.addresses[0][0], '::')
        first, second, six = (self.client((host, port)) for host in ('127.0.0.1', '127.0.0.2', '::1'))
        first.announce(SWARM, 1000)
        six.announce(SWARM, 1001)
        # An IPv4 sender is an IPv4 peer, whatever the socket.
        self.assertEqual(second.announce(SWARM, 1002)[3], [('127.0.0.1', 1000)])

    def test_both_wildcards_on_one_port_share_it(self):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(('::', 0))
            port = probe.getsockname()[1]
        for order in (['0.0.0.0', '[::]'], ['[::]', '0.0.0.0']):
            tracker = self.start('--workers', '2', *(word for host in order for word in ('--listen', f'{host}:{port}'))).serving(2)
            for host in ('127.0.0.1', '::1'):
                self.assertIsInstance(self.client((host, port)).announce(SWARM, 1000), tuple)
            self.assertEqual(tracker.stop(), 0)

    def test_a_port_that_is_in_use(self):
        tracker = self.serve('--workers', '2')
        address = f'127.0.0.1:{tracker.addresses[0][1]}'
        for workers in ('1', '2'):
            self.assertIn('in use', self.refused(7, '--listen', address, '--workers', workers))
        page = self.serve('--admin', '127.0.0.1:0').said('http://')
        self.assertIn('--admin', self.refused(7, '--listen', '127.0.0.1:0', '--admin', page.split('http://')[1].split('/')[0]))

    def test_addresses_that_cannot_be(self):
        self.assertIn('[::]:0', self.refused(2, '--listen', '203.0.113.1:0'))
        self.assertIn('ADDR:PORT', self.refused(2, '--listen', 'localhost:6969'))

    def test_a_low_port_without_the_right(self):
        drop = shutil.which('setpriv')
        if not drop or os.getuid() != 0:
            self.skipTest('no setpriv here that may drop capabilities')
        with open('/proc/sys/net/ipv4/ip_unprivileged_port_start', encoding='ascii') as file:
            if int(file.read()) <= 1:
                self.skipTest('every port is for everybody here')
        words = [drop, '--reuid', '65534', '--regid', '65534', '--clear-groups', '--inh-caps', '-all', TRACKER]
        try:
            self.assertIn('1024', self.refused(7, '--listen', '127.0.0.1:1', program=words))
        except PermissionError:
            self.skipTest('no setpriv here that may drop capabilities')

    def test_without_descriptors_it_says_so(self):
        def few():
            resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
        tracker = self.start('--listen', '127.0.0.1:0', '--workers', '32', preexec_fn=few)
        self.assertEqual(tracker.wait(), 12, str(tracker))
        self.assertIn('ulimit -n', tracker.err[-1])

    def test_a_closed_stdout_is_no_reason_to_stop(self):
        read, write = os.pipe()
        os.close(read)
        child = subprocess.Popen([TRACKER, '--listen', '127.0.0.1:0', '--state', self.state], stdout=write, stderr=subprocess.PIPE,
                                 env=CLEAN)
        os.close(write)
        self.addCleanup(child.stderr.close)
        until(lambda: b'Standard output is closed' in child.stderr.readline(), 'the notice')
        child.terminate()
        self.assertEqual(child.wait(DEADLINE_S), 0)


class Settings(TrackerTest):
    def limit_in_use(self, tracker):
        """How many contents are taken before the limit's error (of at most 3)."""
        client = self.client(tracker.addresses[0])
        for taken in range(4):
            if isinstance(client.announce(bytes([taken]) * 20, 1000), str):
                return taken
        return None

    def test_flags_win_over_the_environment_and_that_over_the_file(self):
        self.write('t.toml', 'listen = "127.0.0.1:0"\nmax-contents = 3\n')
        environment = {'PEERNET_TRACKER_MAX_CONTENTS': '2', 'PEERNET_TRACKER_CONFIG': 't.toml'}
        for wanted, words, env in ((1, ['--max-contents', '1'], environment), (2, [], environment), (3, ['--config', 't.toml'], {})):
            with self.subTest(wanted=wanted):
                self.assertEqual(self.limit_in_use(self.start(*words, env=env).serving()), wanted)

    def test_an_unknown_key_and_a_wrong_type_have_a_line(self):
        self.write('t.toml', '# limits\nworkers = 1\nmax-content = 5\n')
        sentence = self.refused(2, '--config', 't.toml')
        self.assertIn('t.toml:3: max-content', sentence)
        self.assertIn('max-contents', sentence)
        self.write('t.toml', 'workers = "many"\n')
        self.assertIn('t.toml:1: workers wants', self.refused(2, '--config', 't.toml'))
        self.write('t.toml', 'workers = \n')
        self.assertIn('t.toml:1: ', self.refused(2, '--config', 't.toml'))
        self.assertIn('missing.toml', self.refused(2, '--config', 'missing.toml'))

    def test_a_variable_that_is_no_setting_is_told(self):
        tracker = self.serve(env={'PEERNET_TRACKER_MAX_CONTENT': '5'})
        tracker.said('PEERNET_TRACKER_MAX_CONTENT is no setting and is ignored; did you mean PEERNET_TRACKER_MAX_CONTENTS?')

    def test_wrong_words_are_one_sentence(self):
        for words in (['--worker', '1'], ['--workers'], ['--workers', '0'], ['nonsense'], ['--beat', 'x'], ['ctl'], ['ctl', 'swarm']):
            with self.subTest(words=words):
                self.refused(2, *words)

    def test_sighup_reads_the_limits_again_and_a_broken_file_changes_nothing(self):
        self.write('t.toml', 'max-contents = 1\n')
        tracker = self.serve('--config', 't.toml')
        client = self.client(tracker.addresses[0])
        self.assertIsInstance(client.announce(SWARM, 1000), tuple)
        self.assertIsInstance(client.announce(OTHER, 1000), str)
        self.write('t.toml', 'max-contents = 2\nnonsense = 1\n')
        tracker.send(signal.SIGHUP)
        tracker.said('t.toml:2: nonsense')
        self.assertIsInstance(client.announce(OTHER, 1000), str)
        self.write('t.toml', 'max-contents = 2\n')
        tracker.send(signal.SIGHUP)
        tracker.said('read again')
        self.assertIsInstance(client.announce(OTHER, 1000), tuple)
        self.assertEqual(tracker.stop(), 0)

    def test_sighup_does_not_override_a_flag(self):
        self.write('t.toml', 'max-contents = 1\n')
        tracker = self.serve('--config', 't.toml', '--max-contents', '1')
        self.write('t.toml', 'max-contents = 2\n')
        tracker.send(signal.SIGHUP)
        tracker.said('read again')
        self.assertEqual(self.limit_in_use(tracker), 1)


class State(TrackerTest):
    def peers(self):
        return self.ctl_json('peers', SWARM.hex())['peers']

    def test_sigterm_saves_and_the_next_start_knows(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number=number):
                shutil.rmtree(self.state, ignore_errors=True)
                tracker = self.serve('--state', self.state)
                self.client(tracker.addresses[0]).announce(SWARM, 1000, left=0)
                self.assertEqual(tracker.stop(number), 0, str(tracker))
                self.assertEqual(stat.S_IMODE(os.stat(self.state).st_mode), 0o700)
                self.assertFalse(os.path.exists(os.path.join(self.state, 'admin.sock')))
                again = self.serve('--state', self.state)
                again.said('1 peer comes from the snapshot, 0 others are gone')
                self.assertEqual(self.client(again.addresses[0]).announce(SWARM, 1001, left=5)[1:],
                                 (1, 1, [('127.0.0.1', 1000)]))
                again.end()

    def test_who_dies_while_nobody_runs_does_not_come_back(self):
        tracker = self.serve('--state', self.state, '--interval', '1')
        self.client(tracker.addresses[0]).announce(SWARM, 1000)
        tracker.stop()
        before = time.time()
        until(lambda: time.time() > before + 3, 'some time')  # 1.5 intervals, and both ends of a second
        self.serve('--state', self.state, '--interval', '1').said('0 peers come from the snapshot, 1 other is gone')
        self.ctl('--state', self.state, 'peers', SWARM.hex(), code=3)

    @staticmethod
    def bytes_of(path):
        if not os.path.exists(path):
            return b''
        with open(path, 'rb') as file:
            return file.read()

    def test_a_damaged_snapshot_is_reported_and_moved_aside(self):
        os.mkdir(self.state, 0o700)
        path = os.path.join(self.state, 'snapshot')
        for data in (b'', b'nonsense', os.urandom(100_000), b'PNTRKSNP' + bytes(1000)):
            with open(path, 'wb') as file:
                file.write(data)
            tracker = self.serve('--state', self.state)
            tracker.said('is not used')
            self.assertFalse(os.path.exists(path))
            self.assertTrue(os.path.exists(path + '.damaged'))
            self.assertIsInstance(self.client(tracker.addresses[0]).announce(SWARM, 1000), tuple)
            tracker.end()

    def test_a_snapshot_is_written_while_it_serves(self):
        tracker = self.serve('--state', self.state, '--snapshot', '1')
        self.client(tracker.addresses[0]).announce(SWARM, 1000)
        path = os.path.join(self.state, 'snapshot')
        until(lambda: SWARM in self.bytes_of(path), 'a snapshot with the swarm')
        tracker.end()  # killed
        self.serve('--state', self.state).said('1 peer comes from the snapshot')

    def test_one_tracker_a_folder(self):
        self.serve('--state', self.state)
        self.assertIn('another running tracker', self.refused(10, '--listen', '127.0.0.1:0', '--state', self.state))

    def test_a_folder_that_cannot_be(self):
        self.write('file', '')
        self.assertIn('--state', self.refused(7, '--listen', '127.0.0.1:0', '--state', self.at('file')))
        self.assertIn('--state', self.refused(7, '--listen', '127.0.0.1:0', '--state', self.at('file', 'below')))

    def test_the_second_signal_ends_it_at_once(self):
        tracker = self.serve('--state', self.state)
        os.mkfifo(os.path.join(self.state, 'snapshot.tmp'))  # the last snapshot waits here for a reader, for ever
        tracker.send(signal.SIGTERM)
        until(lambda: self.waits_for_fifo(tracker.child.pid) or tracker.ended(), 'the wait')
        tracker.send(signal.SIGTERM)
        self.assertEqual(tracker.wait(), -signal.SIGTERM)

    @staticmethod
    def waits_for_fifo(pid):
        with open(f'/proc/{pid}/wchan', encoding='ascii') as file:
            name = file.read()
        return 'fifo' in name or 'wait_for_partner' in name


class Manager(TrackerTest):
    def notify_socket(self):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.addCleanup(listener.close)
        listener.bind(self.at('notify'))
        listener.settimeout(DEADLINE_S)
        return listener

    def test_it_tells_when_it_serves_reloads_and_stops(self):
        listener = self.notify_socket()
        self.write('t.toml', '')
        tracker = self.serve('--config', 't.toml', env={'NOTIFY_SOCKET': self.at('notify')})
        self.assertIn(b'READY=1', listener.recv(1000))
        tracker.send(signal.SIGHUP)
        self.assertIn(b'RELOADING=1', listener.recv(1000))
        self.assertIn(b'READY=1', listener.recv(1000))
        self.assertEqual(tracker.stop(), 0)
        self.assertIn(b'STOPPING=1', listener.recv(1000))

    def test_it_feeds_the_watchdog(self):
        listener = self.notify_socket()
        self.serve(env={'NOTIFY_SOCKET': self.at('notify'), 'WATCHDOG_USEC': '200000'})
        until(lambda: b'WATCHDOG=1' in listener.recv(1000), 'a sign of life')

    def passed(self, *sockets):
        """A tracker that is given these sockets as descriptors 3, 4, ..."""
        def place():
            for wanted, fd in enumerate([os.dup(os.dup2(one.fileno(), 40 + i)) and 40 + i for i, one in enumerate(sockets)], 3):
                os.dup2(fd, wanted, inheritable=True)
                os.close(fd)
        tracker = self.start('--workers', '2', env={'LISTEN_FDS': str(len(sockets))}, program=(*PASS_SOCKETS, TRACKER),
                             close_fds=False, preexec_fn=place)
        for one in sockets:
            one.close()
        return tracker

    def bound(self, family, host, kind=socket.SOCK_DGRAM):
        one = socket.socket(family, kind)
        one.bind((host, 0))
        return one

    def test_sockets_that_are_passed_are_served(self):
        four, six = self.bound(socket.AF_INET, '127.0.0.1'), self.bound(socket.AF_INET6, '::1')
        wanted = [four.getsockname()[:2], six.getsockname()[:2]]
        early = self.client(wanted[0])
        early.socket.send(struct.pack('>QII', Client.MAGIC, 0, 9))  # before anybody serves: it waits in the socket
        tracker = self.passed(four, six).serving(2)
        self.assertEqual(tracker.addresses, wanted)
        self.assertEqual(struct.unpack_from('>II', early.socket.recv(100)), (0, 9))
        for address in wanted:
            self.assertIsInstance(self.client(address).announce(SWARM, 1000), tuple)

    def test_a_passed_socket_of_another_kind_is_refused(self):
        tracker = self.passed(self.bound(socket.AF_INET, '127.0.0.1', socket.SOCK_STREAM))
        self.assertEqual(tracker.wait(), 2)
        self.assertIn('ListenDatagram', tracker.err[-1])

    def test_systemd_socket_activate(self):
        program = shutil.which('systemd-socket-activate')
        if not program:
            self.skipTest('systemd-socket-activate is not installed')
        with self.bound(socket.AF_INET, '127.0.0.1') as probe:
            address = probe.getsockname()
        tracker = self.start('--state', self.state, program=(program, '--datagram', f'--listen=127.0.0.1:{address[1]}', TRACKER))
        until(lambda: any('Listening' in line for line in tracker.err) or tracker.ended(), 'the listener')
        client = self.client(address)
        self.assertIsInstance(client.announce(SWARM, 1000), tuple)  # the first datagram starts it
        self.assertEqual(tracker.serving().addresses, [address])
        self.assertEqual(tracker.stop(), 0)


class Workers(TrackerTest):
    def test_two_workers_share_one_port_and_one_memory(self):
        tracker = self.serve('--workers', '2', '--state', self.state)
        for i in range(64):  # the kernel spreads source ports over the sockets
            self.client(tracker.addresses[0]).announce(SWARM, 1000 + i)
        self.assertEqual(self.client(tracker.addresses[0]).scrape(SWARM), (0, 0, 64))
        self.assertEqual(len(self.client(tracker.addresses[0]).announce(SWARM, 999, numwant=200)[3]), 64)
        stats = self.ctl_json('stats')
        self.assertEqual(stats['workers'], 2)
        self.assertEqual(stats['counters']['announces'], 65)
        threads = os.listdir(f'/proc/{tracker.child.pid}/task')
        busy = 0
        for thread in threads:
            with open(f'/proc/{tracker.child.pid}/task/{thread}/comm', encoding='ascii') as file:
                busy += file.read().strip() == 'tracker'
        self.assertEqual(busy, 2)

    def test_peers_that_fall_silent_are_swept_by_an_idle_tracker(self):
        # One datagram's source port decides which worker wakes; worker 0 sweeps also when it was another one.
        trackers = []
        for i in range(8):
            state = self.at(f'state-{i}')
            tracker = self.serve('--workers', '2' if i else '1', '--interval', '1', '--beat', '0.2', '--state', state)
            trackers.append((tracker, state))
            self.client(tracker.addresses[0]).announce(SWARM, 1000)
        for _, state in trackers:
            until(lambda state=state: self.expired(state) == 1, 'the sweep')

    def expired(self, state):
        return json.loads(self.ctl('--state', state, '--json', 'stats'))['counters']['expired']


if __name__ == '__main__':
    unittest.main()
