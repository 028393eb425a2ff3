"""Swarms of real programs: sources that are killed and come back, crowds that outlive their publisher, seeding."""

import os
import re
import signal
import unittest

from peernet_program import ProgramTest, random_bytes
from tracker_program import Tracker

MIB = 1 << 20
BEAT = ('--beat', '1')


def without_nodes(link):
    return re.sub(r',p=[^,/]*', '', link)


def address_of(link):
    return re.search(r'p=([^,/]*)', link).group(1)


class SwarmProgramTest(ProgramTest):
    def slow_get(self, link, name, rate, *words):
        get = self.get(link, '-o', name, '--progress', 'json', '--limit-down', rate, *words)
        get.until_received(MIB)
        return get

    def texts(self, process, kind):
        return [event['text'] for event in process.events() if event['event'] == kind]

    def killed(self, process):
        process.stop(signal.SIGKILL)

    def tracker(self):
        tracker = Tracker(['--listen', '127.0.0.1:0', *BEAT], self.folder).serving()
        self.addCleanup(tracker.end)
        host, port = tracker.addresses[0]
        return f'{host}:{port}'

    def identity(self, name):
        self.ends(self.start('keygen', '-o', self.at(name)), 0)
        return self.at(name)


class Restart(SwarmProgramTest):
    def test_a_killed_publisher_is_found_when_it_runs_again_at_its_address(self):
        data = random_bytes(24 * MIB)
        tracker = self.tracker()
        identity = self.identity('key')
        path = self.make('data', data)
        words = ('--tracker', f'udp://{tracker}', '--identity', identity)
        share = self.share(path, *words)
        get = self.slow_get(share.link, 'copy', '4M')
        self.killed(share)
        again = self.start('share', path, '--join', share.link, '--identity', identity, '--listen', address_of(share.link))
        self.ends(get, 0)
        self.assert_file(self.at('copy'), data)
        again.end()

    def test_or_elsewhere(self):
        data = random_bytes(24 * MIB)
        tracker = self.tracker()
        identity = self.identity('key')
        path = self.make('data', data)
        share = self.share(path, '--tracker', f'udp://{tracker}', '--identity', identity)
        get = self.slow_get(share.link, 'copy', '4M')
        self.killed(share)
        again = self.start('share', path, '--join', share.link, '--identity', identity, '--listen', '127.0.0.1:0')
        self.ends(get, 0)
        self.assert_file(self.at('copy'), data)
        again.end()

    def test_without_any_source_a_get_says_so_waits_and_keeps_what_it_has(self):
        data = random_bytes(24 * MIB)
        share = self.share(self.make('data', data), *BEAT)
        get = self.slow_get(share.link, 'copy', '4M', '--timeout', '4')
        self.killed(share)
        self.assertEqual(get.wait(), 5, str(get))
        get.line('every source has fallen silent; trying to reach them again')
        self.assertTrue(os.path.exists(self.at('copy.part')))


class Crowd(SwarmProgramTest):
    def crowd(self, link, count, *words):
        return [self.get(link, '-o', f'copy{i}', '--progress', 'json', *words) for i in range(count)]

    def test_a_crowd_outlives_its_publisher(self):
        data = random_bytes(24 * MIB)
        tracker = self.tracker()
        share = self.share(self.make('data', data), '--tracker', f'udp://{tracker}', '--limit-up', '20M')
        first = self.get(share.link, '-o', 'first', '--progress', 'json')
        slow = [self.slow_get(share.link, f'copy{i}', '3M') for i in range(3)]
        self.ends(first, 0)
        seed = self.share(self.at('first'), '--join', share.link)
        self.killed(share)
        for i, get in enumerate(slow):
            self.ends(get, 0)
            self.assert_file(self.at(f'copy{i}'), data)
        seed.end()

    def test_a_crowd_at_the_tracker_inside_the_share(self):
        data = random_bytes(12 * MIB)
        share = self.share(self.make('data', data), '--limit-up', '10M', *BEAT)
        gets = self.crowd(without_nodes(share.link), 4)
        for i, get in enumerate(gets):
            self.ends(get, 0)
            self.assert_file(self.at(f'copy{i}'), data)


if __name__ == '__main__':
    unittest.main(verbosity=1)
