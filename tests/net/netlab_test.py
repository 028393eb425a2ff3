"""The network laboratory does what it says: rates, delays, loss, and nothing left behind."""

import os
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', '..', 'tools', 'netlab'))
import netlab  # noqa: E402
from netlab import Lab, Link, Shape  # noqa: E402

EMULATOR = os.environ['NETLAB_LINKS_PROGRAM']
# Sends, or takes, datagrams of 1,000 bytes; the taker prints how many came once none has come for a second.
SENDER = '''import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 32, 1 << 26)  # SO_SNDBUFFORCE: a full queue drops, it does not block
s.connect((sys.argv[1], 9))
for i in range(int(sys.argv[2])):
    s.send(i.to_bytes(4, "big") + bytes(996))
'''
TAKER = '''import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 1 << 26)  # SO_RCVBUFFORCE
s.bind((sys.argv[1], 9))
print("ready", flush=True)
taken = 0
try:
    while True:
        s.recv(2000)
        s.settimeout(1)
        taken += 1
except TimeoutError:
    print(taken)
'''
ECHO = '''import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 9))
print("ready", flush=True)
while True:
    s.sendto(*s.recvfrom(2000))
'''
ASKER = '''import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 9))
shortest = 1e9
for i in range(5):
    start = time.monotonic()
    s.send(b"x")
    s.recv(10)
    shortest = min(shortest, time.monotonic() - start)
print(shortest)
'''


class LabTest(unittest.TestCase):
    emulated = False

    def setUp(self):
        reason = netlab.why_not(self.emulated)
        if reason:
            self.skipTest(reason)

    def lab(self, **links):
        lab = Lab(links, EMULATOR)
        self.enterContext(lab)
        return lab

    @staticmethod
    def python(host, code, *words):
        return host.popen([sys.executable, '-c', code, *map(str, words)], stdout=subprocess.PIPE, text=True)

    def sent(self, lab, count):
        """How many of so many datagrams come from a to b."""
        a, b = lab.hosts['a'], lab.hosts['b']
        taker = self.python(b, TAKER, b.address)
        with taker.stdout:
            self.assertEqual(taker.stdout.readline(), 'ready\n')
            with self.python(a, SENDER, b.address, count) as sender:
                self.assertEqual(sender.wait(60), 0)
            return int(taker.stdout.readline())

    def shortest_round_trip(self, lab):
        a, b = lab.hosts['a'], lab.hosts['b']
        echo = self.python(b, ECHO, b.address)
        self.assertEqual(echo.stdout.readline(), 'ready\n')
        echo.stdout.close()
        asker = self.python(a, ASKER, b.address)
        out, _ = asker.communicate(timeout=60)
        self.assertEqual(asker.returncode, 0)
        return float(out)


class Veth(LabTest):
    def test_hosts_reach_each_other_and_touch_nothing_else(self):
        before = socket.if_nameindex()
        lab = self.lab(a=Link(), b=Link())
        self.assertEqual(self.sent(lab, 100), 100)
        self.assertEqual(socket.if_nameindex(), before, 'the machine itself has no device more')

    def test_what_exceeds_rate_and_queue_is_dropped(self):
        lab = self.lab(a=Link(up=Shape(rate=1e6, queue=100_000)), b=Link())
        came = self.sent(lab, 2000)
        self.assertGreater(came, 100)  # burst and queue at least
        self.assertLess(came, 1500)

    def test_a_downlink_is_limited_as_an_uplink_is(self):
        lab = self.lab(a=Link(), b=Link(down=Shape(rate=1e6, queue=100_000)))
        self.assertLess(self.sent(lab, 2000), 1500)

    def test_counters_are_those_of_the_host(self):
        lab = self.lab(a=Link(), b=Link())
        before = lab.hosts['a'].counters()[1], lab.hosts['b'].counters()[0]
        self.sent(lab, 100)
        for host, which, start in (('a', 1, before[0]), ('b', 0, before[1])):
            self.assertGreater(lab.hosts[host].counters()[which] - start, 100 * 1000)

    def test_what_runs_on_a_host_ends_with_the_lab(self):
        with Lab({'a': Link()}) as lab:
            sleeper = lab.hosts['a'].popen(['sleep', '1000'])
        self.assertIsNotNone(sleeper.poll())

    def test_this_process_stays_where_it_was_and_keeps_no_descriptor(self):
        home, fds = os.readlink('/proc/self/ns/net'), len(os.listdir('/proc/self/fd'))
        with Lab({'a': Link(), 'b': Link(up=Shape(rate=1e6))}):
            self.assertEqual(os.readlink('/proc/self/ns/net'), home)
        self.assertEqual(os.readlink('/proc/self/ns/net'), home)
        self.assertEqual(len(os.listdir('/proc/self/fd')), fds)

    def test_a_lab_that_cannot_be_built_leaves_nothing(self):
        fds = len(os.listdir('/proc/self/fd'))
        with self.assertRaises(RuntimeError):
            Lab({'a': Link(mtu=1)}).__enter__()
        self.assertEqual(len(os.listdir('/proc/self/fd')), fds)


class Emulated(LabTest):
    emulated = True

    def test_a_delay_is_waited_both_ways(self):
        lab = self.lab(a=Link(up=Shape(delay=0.03), down=Shape(delay=0.02)), b=Link())
        self.assertGreaterEqual(self.shortest_round_trip(lab), 0.05)

    def test_no_packet_is_lost_without_loss(self):
        lab = self.lab(a=Link(up=Shape(delay=0.001, queue=10_000_000)), b=Link())
        self.assertEqual(self.sent(lab, 1000), 1000)

    def test_some_are_lost_with_loss_and_all_are_counted(self):
        lab = self.lab(a=Link(up=Shape(loss=0.1)), b=Link())
        came = self.sent(lab, 2000)
        self.assertGreater(came, 1600)  # 15 standard deviations around 1,800
        self.assertLess(came, 1990)
        lab.close()
        self.assertEqual(lab.statistics['h1.up']['losses'], 2000 - came)

    def test_what_exceeds_rate_and_queue_is_dropped(self):
        lab = self.lab(a=Link(up=Shape(rate=1e6, delay=0.001, queue=100_000)), b=Link())
        came = self.sent(lab, 2000)
        self.assertGreater(came, 90)
        self.assertLess(came, 1500)
        lab.close()
        self.assertEqual(lab.statistics['h1.up']['queue_drops'], 2000 - came)

    def test_veth_and_emulated_links_meet_at_the_hub(self):
        lab = self.lab(a=Link(up=Shape(rate=1e9)), b=Link(down=Shape(delay=0.02)))
        self.assertGreaterEqual(self.shortest_round_trip(lab), 0.02)

    def test_the_emulator_ends_with_the_lab(self):
        with Lab({'a': Link(up=Shape(delay=0.001))}, EMULATOR) as lab:
            emulator = lab.emulator
        self.assertEqual(emulator.returncode, 0)

    def test_the_emulator_ends_with_whoever_started_it(self):
        code = ('import sys; sys.path.insert(0, sys.argv[1]); import netlab, os, signal\n'
                'lab = netlab.Lab({"a": netlab.Link(up=netlab.Shape(delay=0.001))}, sys.argv[2]).__enter__()\n'
                'print(lab.emulator.pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)')
        done = subprocess.run([sys.executable, '-c', code, os.path.dirname(netlab.__file__), EMULATOR], capture_output=True, text=True,
                              check=False, timeout=60)
        pid = int(done.stdout)
        end = time.monotonic() + 60
        while self.lives(pid):
            self.assertLess(time.monotonic(), end, 'the emulator lives on')
            time.sleep(0.05)

    @staticmethod
    def lives(pid):
        try:
            with open(f'/proc/{pid}/stat', encoding='ascii') as file:
                return file.read().rsplit(')', 1)[1].split()[0] != 'Z'
        except FileNotFoundError:
            return False


if __name__ == '__main__':
    unittest.main()
