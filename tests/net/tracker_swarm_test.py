"""Nodes meet through trackers: the one inside a share, and peernet-tracker; several sources for one receiver; failover."""

import json
import os
import re
import signal
import socket
import unittest

from peernet_program import ProgramTest, key_of, random_bytes
from tracker_program import Tracker, until

MIB = 1 << 20
BEAT = ('--beat', '1')


def without_nodes(link):
    """Only its trackers are left."""
    return re.sub(r',p=[^,/]*', '', link)


def without_trackers(link):
    return re.sub(r't=[^,/]*,', '', link)


def silent_port(test):
    """A port of 127.0.0.1 that answers nothing."""
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(('127.0.0.1', 0))
    test.addCleanup(silent.close)
    return silent.getsockname()[1]


class SwarmTest(ProgramTest):
    def join(self, path, link, *words, **options):
        """Another source; it is one when this returns."""
        share = self.share(path, '--join', link, *words, **options)
        self.assertEqual(share.link, link)
        return share

    def copies(self, data, count):
        return [self.make(f'copy-of-source-{i}', data) for i in range(count)]

    def status(self, link, *words):
        process = self.ends(self.start('status', link, '--json', '--listen', '127.0.0.1:0', *words), 0)
        return json.loads(process.out[0])

    def until_listed(self, link, complete, partial=None):
        """Waits until the trackers list so many nodes; the listing."""
        def listed():
            process = self.start('status', link, '--json', '--listen', '127.0.0.1:0', '--timeout', '5')
            if process.wait() != 0:
                return None
            found = json.loads(process.out[0])
            return found if found['complete'] == complete and partial in (None, found['partial']) else None
        return until(listed, f'{complete} complete and {partial} partial nodes')

    def slow_get(self, link, name, rate, *words):
        get = self.get(link, '-o', name, '--progress', 'json', '--limit-down', rate, *words)
        get.until_received(MIB)
        return get

    @staticmethod
    def bytes_by_source(get):
        """Of a get that has ended: content bytes from each address."""
        out = {}
        for event in get.events():
            if event['event'] == 'source' and event['text'] != 'joined':
                out[event['peer']] = out.get(event['peer'], 0) + event['bytes']
        return {peer: count for peer, count in out.items() if count > 0}


class EmbeddedTracker(SwarmTest):
    def test_two_commands_are_enough_even_without_node_addresses(self):
        data = random_bytes(3 * MIB + 5)
        share = self.share(self.make('data', data), *BEAT)
        link = without_nodes(share.link)
        self.assertNotEqual(link, share.link)
        get = self.got(link, '-o', 'copy', '--progress', 'json')
        self.assert_file(self.at('copy'), data)
        self.assertIn(True, [event['listed'] for event in get.events() if event['event'] == 'tracker'])

    def test_verbose_people_see_the_tracker(self):
        share = self.share(self.make('data', random_bytes(1000)), *BEAT)
        get = self.got(without_nodes(share.link), '-o', 'copy', '-v')
        get.line('announced to tracker 127.0.0.1:')

    def test_a_receiver_takes_different_parts_from_all_sources(self):
        for joined in (1, 2, 3):
            with self.subTest(joined=joined):
                data = random_bytes(12 * MIB, joined)
                limit = ('--limit-up', '8M')
                share = self.share(self.make('data', data), *BEAT, *limit)
                for path in self.copies(data, joined):
                    self.join(path, share.link, *limit)
                get = self.got(share.link, '-o', 'copy', '--overwrite', '--progress', 'json')
                self.assert_file(self.at('copy'), data)
                given = self.bytes_by_source(get)
                self.assertEqual(len(given), joined + 1, str(get))
                self.assertEqual(sum(given.values()), len(data))
                for process in self.processes:
                    process.end()

    def test_a_public_swarm_is_joined_without_a_key(self):
        data = random_bytes(MIB)
        share = self.share(self.make('data', data), '--public', *BEAT)
        self.join(self.copies(data, 1)[0], share.link)
        self.got(without_nodes(share.link), '-o', 'copy')
        self.assert_file(self.at('copy'), data)

    def test_name_and_time_of_the_joining_file_do_not_matter(self):
        data = random_bytes(MIB)
        share = self.share(self.make('data', data), *BEAT)
        [path] = self.copies(data, 1)
        os.utime(path, (1, 1))
        os.chmod(path, 0o600)
        self.join(path, share.link)
        self.got(share.link, '-o', 'copy')
        self.assertNotEqual(os.stat(self.at('copy')).st_mtime, 1, 'name, time and mode are those of the publisher')

    def test_an_empty_file_and_one_byte_are_joined(self):
        for data in (b'', b'x'):
            with self.subTest(size=len(data)):
                share = self.share(self.make('data', data), *BEAT)
                self.join(self.copies(data, 1)[0], share.link)
                self.got(without_nodes(share.link), '-o', 'copy', '--overwrite')
                self.assert_file(self.at('copy'), data)

    def test_links_to_join_come_from_files_and_standard_input(self):
        data = random_bytes(1000)
        share = self.share(self.make('data', data), '--link-file', 'link', *BEAT)
        for word, options in (('@link', {}), ('-', {'stdin': share.link + '\n'})):
            joined = self.share(self.copies(data, 1)[0], '--join', word, **options)
            self.assertEqual(joined.link, share.link)

    def test_a_dead_tracker_in_the_link_holds_nothing_up(self):
        data = random_bytes(MIB)
        share = self.share(self.make('data', data), '--tracker', 'none')
        link = share.link.replace('/p=', f'/t=127.0.0.1:{silent_port(self)},t=nowhere.invalid:1,p=')
        self.got(link, '-o', 'copy')
        self.assert_file(self.at('copy'), data)

    def test_dead_node_addresses_do_not_matter_while_the_tracker_knows_others(self):
        data = random_bytes(MIB)
        share = self.share(self.make('data', data), *BEAT)
        link = re.sub(r'p=[^,/]*', f'p=127.0.0.1:{silent_port(self)}', share.link)
        self.got(link, '-o', 'copy')
        self.assert_file(self.at('copy'), data)

    def test_a_wrong_key_finds_nobody(self):
        share = self.share(self.make('data', random_bytes(1000)), *BEAT)
        key = key_of(share.link)
        link = without_nodes(share.link).replace(key, ('B' if key[0] == 'A' else 'A') + key[1:])
        self.assert_one_sentence(self.ends(self.get(link, '-o', 'copy', '--timeout', '2'), 4))


class Join(SwarmTest):
    def joins(self, path, link, status, *words):
        process = self.ends(self.start('share', path, '--join', link, '--listen', '127.0.0.1:0', '--state', self.state, *words), status)
        self.assertEqual(process.out, [], 'no link is printed')
        return self.assert_one_sentence(process)

    def test_another_file_is_refused_and_the_sentence_says_why(self):
        data = random_bytes(3 * MIB)
        share = self.share(self.make('data', data), *BEAT)
        self.make('shorter', data[:-1])
        self.make('empty', b'')
        self.make('differs', data[:-1] + bytes([data[-1] ^ 1]))
        self.assertIn('its size differs', self.joins('shorter', share.link, 6))
        self.assertIn('its size differs', self.joins('empty', share.link, 6))
        self.assertIn('its contents differ', self.joins('differs', share.link, 6))
        self.assertEqual(len(self.status(share.link)['nodes']), 1, 'none of them was listed as a source')

    def test_without_a_reachable_swarm_there_is_nothing_to_join(self):
        data = random_bytes(1000)
        share = self.share(self.make('data', data), *BEAT)
        share.stop(signal.SIGKILL)
        self.joins('data', share.link, 4)

    def test_a_link_without_tracker_cannot_be_joined(self):
        share = self.share(self.make('data', random_bytes(1000)), '--tracker', 'none')
        self.assertIn('no tracker', self.joins('data', share.link, 2))
        self.assert_one_sentence(self.ends(self.start('share', 'data', '--join', 'nonsense'), 2))

    def test_a_wrong_key_is_no_way_in(self):
        share = self.share(self.make('data', random_bytes(1000)), *BEAT)
        key = key_of(share.link)
        link = share.link.replace(key, ('B' if key[0] == 'A' else 'A') + key[1:])
        self.joins('data', link, 9)

    def test_a_joining_share_is_interrupted_while_it_waits(self):
        share = self.share(self.make('data', random_bytes(1000)), *BEAT)
        share.stop(signal.SIGKILL)
        joined = self.start('share', 'data', '--join', share.link, '--listen', '127.0.0.1:0', '--state', self.state, '-v')
        joined.line('engine ')
        self.assertEqual(joined.stop(signal.SIGINT), 128 + signal.SIGINT, str(joined))


class Sources(SwarmTest):
    def test_a_getter_finishes_when_the_publisher_is_killed_and_another_source_lives(self):
        data = random_bytes(12 * MIB)
        for number in (signal.SIGKILL, signal.SIGTERM):
            with self.subTest(signal=number):
                share = self.share(self.make('data', data), *BEAT)
                joined = self.join(self.copies(data, 1)[0], share.link)
                get = self.slow_get(share.link, f'copy{number}', '4M')
                get.until(lambda: any(event.get('sources') == 2 for event in get.events()), 'two sources')
                share.stop(number)  # the tracker goes with it
                self.ends(get, 0)
                self.assert_file(self.at(f'copy{number}'), data)
                joined.stop()

    def test_a_newcomer_gets_all_from_a_joined_source_when_the_publisher_is_gone(self):
        data = random_bytes(2 * MIB)
        tracker = Tracker(['--listen', '127.0.0.1:0', *BEAT], self.folder).serving()
        self.addCleanup(tracker.end)
        [(host, port)] = tracker.addresses
        share = self.share(self.make('data', data), '--tracker', f'udp://{host}:{port}')
        self.assertIn(f'/t={host}:{port},p=', share.link)
        self.join(self.copies(data, 1)[0], share.link)
        share.stop(signal.SIGKILL)
        get = self.got(share.link, '-o', 'copy', '--verify', 'sha256', '--progress', 'json')
        self.assert_file(self.at('copy'), data)
        self.assertEqual(len(self.bytes_by_source(get)), 1)

    def test_a_source_that_comes_later_is_used(self):
        data = random_bytes(16 * MIB)
        share = self.share(self.make('data', data), '--limit-up', '2M', *BEAT)
        get = self.get(share.link, '-o', 'copy', '--progress', 'json')
        get.until_received(MIB)
        self.join(self.copies(data, 1)[0], share.link, '--limit-up', '2M')
        self.ends(get, 0)
        self.assert_file(self.at('copy'), data)
        self.assertEqual(len(self.bytes_by_source(get)), 2, str(get))


class Status(SwarmTest):
    def test_shows_who_has_which_part(self):
        data = random_bytes(8 * MIB)
        share = self.share(self.make('data', data), *BEAT)
        self.join(self.copies(data, 1)[0], share.link)
        get = self.slow_get(share.link, 'copy', '1M')
        listing = self.until_listed(share.link, 2, 1)
        partial = next(node for node in listing['nodes'] if not node['complete'])
        self.assertTrue(partial['served'], 'a get serves what it has')
        until(lambda: [node for node in self.status(share.link)['nodes'] if 0 < node['fraction'] < 1 and node['chunks'] == 8],
              'the part that the receiver has is listed')
        text = self.ends(self.start('status', share.link, '--listen', '127.0.0.1:0'), 0).out
        self.assertEqual(len(text), 4, text)
        self.assertRegex(text[0], r'^127\.0\.0\.1:\d+ +\[#{32}\] 100 % ')
        self.assertRegex(text[2], r'^127\.0\.0\.1:\d+ +\[[#.+]{32}\] +\d+ % .*heard [0-9.]+m?s ago$')
        self.assertIn('2 complete, 1 partial', text[3])
        get.stop()
        self.until_listed(share.link, 2, 0)  # it has said goodbye

    def test_says_by_its_exit_status_what_there_is_not(self):
        share = self.share(self.make('data', random_bytes(1000)), *BEAT)
        self.assert_one_sentence(self.ends(self.start('status', without_trackers(share.link)), 2))
        self.assert_one_sentence(self.ends(self.start('status', 'nonsense'), 2))
        key = key_of(share.link)
        other = share.link.replace(key, ('B' if key[0] == 'A' else 'A') + key[1:])
        unknown = self.ends(self.start('status', other, '--json', '--listen', '127.0.0.1:0'), 3)
        self.assertEqual(json.loads(unknown.out[0])['nodes'], [])
        self.assert_one_sentence(unknown)
        share.stop(signal.SIGKILL)
        self.assert_one_sentence(self.ends(self.start('status', share.link, '--timeout', '2'), 4))

    def test_an_empty_tracker_hides_nobody_that_another_lists(self):
        trackers = []
        for _ in range(3):
            trackers.append(Tracker(['--listen', '127.0.0.1:0', *BEAT], self.folder).serving())
            self.addCleanup(trackers[-1].end)
        names = [f'{host}:{port}' for tracker in trackers for host, port in tracker.addresses]
        data = random_bytes(1000)
        link = self.share(self.make('data', data), '--tracker', names[0]).link
        self.join(self.copies(data, 1)[0], link.replace(names[0], names[1]))
        for order in (names, names[::-1]):
            listing = self.status(re.sub(r't=[^/]*', ','.join(f't={name}' for name in order), link))
            self.assertEqual(listing['complete'], 2)
            self.assertNotEqual(listing['tracker'], names[2])

    def test_a_tracker_that_cannot_be_reached_at_all_is_not_waited_for(self):
        share = self.share(self.make('data', random_bytes(1000)), *BEAT)
        link = re.sub(r't=[^,/]*', 't=%5B::1%5D:9', share.link)
        # Waiting for the process ends long before that.
        self.assert_one_sentence(self.ends(self.start('status', link, '--listen', '127.0.0.1:0', '--timeout', '3000'), 4))

    def test_a_node_with_several_addresses_is_one_source_and_one_line(self):
        data = random_bytes(3 * MIB)
        share = self.share(self.make('data', data), '--listen', '0.0.0.0:0', '--advertise', '127.0.0.1', '--advertise', '127.0.0.2', *BEAT)
        listing = self.status(share.link)
        self.assertEqual((listing['complete'], len(listing['nodes'])), (1, 1))
        self.assertEqual(len(listing['nodes'][0]['other_addresses']), 1)
        get = self.got(share.link, '-o', 'copy', '--progress', 'json')
        self.assert_file(self.at('copy'), data)
        self.assertEqual(max(event.get('sources', 0) for event in get.events()), 1)

    def test_who_asks_is_not_listed(self):
        share = self.share(self.make('data', random_bytes(1000)), *BEAT)
        for _ in range(3):
            self.assertEqual(len(self.status(share.link)['nodes']), 1)


class Failover(SwarmTest):
    def test_trackers_may_die_one_by_one_and_then_all_at_once(self):
        trackers = []
        for _ in range(3):
            trackers.append(Tracker(['--listen', '127.0.0.1:0', *BEAT], self.folder).serving())
            self.addCleanup(trackers[-1].end)
        names = [f'{host}:{port}' for tracker in trackers for host, port in tracker.addresses]
        data = random_bytes(40 * MIB)
        words = [word for name in names for word in ('--tracker', name)]
        share = self.share(self.make('data', data), *words)
        self.assertEqual(re.findall(r't=([^,/]*)', share.link), names)
        for path in self.copies(data, 2):
            self.join(path, share.link)
        only_trackers = without_nodes(share.link)
        gets = [self.slow_get(only_trackers, f'slow{i}', '2M') for i in range(2)]

        # One of those two that hold the swarm: its listing tells which they are.
        first = self.until_listed(only_trackers, 3, 2)['tracker']
        trackers[names.index(first)].stop(signal.SIGKILL)
        listing = self.until_listed(only_trackers, 3, 2)
        self.assertNotEqual(listing['tracker'], first)
        newcomer = self.got(only_trackers, '-o', 'newcomer', '--progress', 'json')
        self.assert_file(self.at('newcomer'), data)
        joined = {event['peer'] for event in newcomer.events() if event['event'] == 'source' and event['text'] == 'joined'}
        self.assertGreaterEqual(len(joined), 3, str(newcomer))  # the slow gets are sources, too
        # What was lost is replaced: the third tracker now holds the swarm, too.
        second = listing['tracker']
        third = next(name for name in names if name not in (first, second))
        only_third = re.sub(r't=[^/]*', f't={third}', only_trackers)
        self.until_listed(only_third, 3, 2)

        for name in (second, third):
            trackers[names.index(name)].stop(signal.SIGKILL)
        for i, get in enumerate(gets):
            self.assertIsNone(get.child.poll(), 'it was running all the time')
        late = self.got(share.link, '-o', 'late')  # the addresses in the link still work
        self.assertEqual(late.out, [])
        for i, get in enumerate(gets):
            self.ends(get, 0)
            self.assert_file(self.at(f'slow{i}'), data)

    def test_a_tracker_that_comes_back_knows_the_swarm_again(self):
        tracker = Tracker(['--listen', '127.0.0.1:0', *BEAT], self.folder).serving()
        self.addCleanup(tracker.end)
        [(host, port)] = tracker.addresses
        data = random_bytes(MIB)
        share = self.share(self.make('data', data), '--tracker', f'{host}:{port}')
        self.join(self.copies(data, 1)[0], share.link)
        self.until_listed(share.link, 2)
        tracker.stop(signal.SIGKILL)
        again = Tracker(['--listen', f'{host}:{port}', *BEAT], self.folder).serving()
        self.addCleanup(again.end)
        self.until_listed(share.link, 2)
        self.got(without_nodes(share.link), '-o', 'copy')
        self.assert_file(self.at('copy'), data)

    def test_a_link_comes_although_the_tracker_is_silent(self):
        data = random_bytes(1000)
        share = self.share(self.make('data', data), '--tracker', f'127.0.0.1:{silent_port(self)}')
        share.line('has not answered yet')
        self.got(share.link, '-o', 'copy')
        self.assert_file(self.at('copy'), data)

    def test_what_a_tracker_refuses_is_said_to_those_who_share_and_to_those_who_get(self):
        tracker = Tracker(['--listen', '127.0.0.1:0', '--max-contents', '1'], self.folder).serving()
        self.addCleanup(tracker.end)
        [(host, port)] = tracker.addresses
        self.share(self.make('first', random_bytes(1000)), '--tracker', f'{host}:{port}')
        share = self.share(self.make('second', random_bytes(1000, 2)), '--tracker', f'{host}:{port}')
        share.line(f'tracker {host}:{port} refuses: too many contents on this tracker; trying on')
        get = self.ends(self.start('get', without_nodes(share.link), '--timeout', '2', '--listen', '127.0.0.1:0'), 4)
        self.assertIn(f'{host}:{port} refuses: too many contents', self.assert_one_sentence(get))

    def test_silent_trackers_are_named(self):
        dead = silent_port(self), silent_port(self)
        share = self.share(self.make('data', random_bytes(1000)), '--tracker', f'127.0.0.1:{dead[0]}', '--tracker', f'127.0.0.1:{dead[1]}')
        share.line('trying on')
        link = without_nodes(share.link)
        words = self.start('get', link, '--timeout', '9', '--listen', '127.0.0.1:0'), self.start(
            'share', 'data', '--join', link, '--listen', '127.0.0.1:0', '--state', self.state)
        for process in words:
            sentence = self.assert_one_sentence(self.ends(process, 4))
            self.assertIn(f'tracker 127.0.0.1:{dead[0]} does not answer', sentence)
            self.assertNotIn('(data)', sentence)


if __name__ == '__main__':
    unittest.main()
