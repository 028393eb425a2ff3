"""peernet share and peernet get as people use them: whole transfers between real processes on loopback."""

import json
import os
import signal
import stat
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', 'unit', 'cli'))
import events_schema  # noqa: E402
from peernet_program import KEY, ProgramTest, key_of, random_bytes, read  # noqa: E402

MIB = 1 << 20
GET_EVENTS = {'start', 'progress', 'source', 'chunk_bad', 'retry', 'verify', 'tracker', 'done', 'error', 'complete', 'receiver'}


class Transfers(ProgramTest):
    def round_trip(self, size):
        data = random_bytes(size, size)
        share = self.share(self.make('data', data), '-q')
        self.got(share.link, '-o', 'copy', '-q')
        self.assert_file(self.at('copy'), data)
        self.assertFalse(os.path.exists(self.at('copy.part')))
        os.unlink(self.at('copy'))
        share.stop()

    def test_sizes_around_blocks_chunks_and_packets(self):
        for size in (0, 1, 4095, 4096, 4097, 16383, 16384, 16385, MIB - 1, MIB, MIB + 1, 3 * MIB + 17):
            with self.subTest(size=size):
                self.round_trip(size)

    def test_the_link_is_the_only_line_on_stdout_and_stderr_shows_the_command(self):
        share = self.share(self.make('data', b'x'), '--link-file', 'link')
        command = share.line('  peernet get ')
        self.assertEqual(command.strip(), 'peernet get ' + share.link)
        self.assertEqual(read(self.at('link')).decode(), share.link + '\n')
        self.assertEqual(stat.S_IMODE(os.stat(self.at('link')).st_mode), 0o600)
        self.assertEqual(share.stop(), 128 + signal.SIGTERM)
        self.assertEqual(share.out, [share.link])
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith('link')], ['link'])

    def test_once_ends_after_a_complete_receiver(self):
        share = self.share(self.make('data', random_bytes(2 * MIB)), '--once')
        self.got(share.link, '-o', 'copy')
        self.ends(share, 0)

    def test_once_does_not_end_after_an_incomplete_receiver(self):
        data = random_bytes(4 * MIB)
        share = self.share(self.make('data', data), '--once', '--limit-up', '1M')
        get = self.get(share.link, '-o', 'copy', '--progress', 'json')
        get.until_received(MIB)
        self.assertEqual(get.stop(), 128 + signal.SIGTERM, str(get))
        self.got(share.link, '-o', 'copy')
        self.ends(share, 0)

    def test_where_the_file_goes(self):
        data = random_bytes(1000)
        share = self.share(self.make('data', data), '-q')
        os.mkdir(self.at('folder'))
        os.mkdir(self.at('other'))
        self.got(share.link, '-o', 'folder/')
        self.assert_file(self.at('folder', 'data'), data)
        self.got(share.link, '-o', 'other')
        self.assert_file(self.at('other', 'data'), data)
        self.got(share.link, '-o', 'other/name')
        self.assert_file(self.at('other', 'name'), data)

    def test_without_o_the_file_gets_its_own_name_here(self):
        data = random_bytes(1000)
        os.mkdir(self.at('source'))
        share = self.share(self.make('source/data', data), '-q')
        self.got(share.link)
        self.assert_file(self.at('data'), data)

    def test_links_come_from_files_and_standard_input(self):
        data = random_bytes(1000)
        share = self.share(self.make('data', data), '--link-file', 'link')
        self.got('@link', '-o', 'by-file')
        self.got('-', '-o', 'by-stdin', stdin=share.link + '\n')
        self.assert_file(self.at('by-file'), data)
        self.assert_file(self.at('by-stdin'), data)

    def test_several_gets_at_once(self):
        data = random_bytes(5 * MIB + 3)
        share = self.share(self.make('data', data))
        gets = [self.get(share.link, '-o', f'copy{i}', '--shards', '1') for i in range(5)]
        for i, get in enumerate(gets):
            self.ends(get, 0)
            self.assert_file(self.at(f'copy{i}'), data)

    def test_several_shares_and_one_state_folder(self):
        shares = [self.share(self.make(f'data{i}', random_bytes(100 + i, i))) for i in range(3)]
        gets = [self.get(share.link, '-o', f'copy{i}') for i, share in enumerate(shares)]
        for i, get in enumerate(gets):
            self.ends(get, 0)
            self.assert_file(self.at(f'copy{i}'), random_bytes(100 + i, i))

    def test_public_links_have_no_key(self):
        data = random_bytes(1000)
        share = self.share(self.make('data', data), '--public')
        self.assertIn('..', share.link)
        self.assertIsNone(KEY.search(share.link))
        self.got(share.link, '-o', 'copy')
        self.assert_file(self.at('copy'), data)

    def test_advertised_addresses_replace_those_of_the_host(self):
        share = self.share(self.make('data', b'x'), '--advertise', 'host.example:7000', '--advertise', '[::1]:7001')
        self.assertIn('/t=host.example:7000,t=%5B::1%5D:7001,p=host.example:7000,p=%5B::1%5D:7001/', share.link)
        share = self.share(self.make('data', b'x'), '--advertise', 'host.example:7000', '--tracker', 'none')
        self.assertIn('/p=host.example:7000/', share.link)

    def test_every_option_of_the_engine_still_moves_the_file(self):
        data = random_bytes(MIB + 5)
        share = self.share(self.make('data', data), '--offload', 'off', '--shards', '2', '--max-datagram', '1500', '--io', 'epoll')
        for i, words in enumerate((['--io', 'epoll'], ['--offload', 'off'], ['--direct', 'on'], ['--direct', 'off'],
                                   ['--aead', 'openssl'], ['--shards', '1'], ['--max-datagram', '1280'], ['--sync', 'none'],
                                   ['--verify', 'sha256'], ['--trust', 'members'], ['--limit-down', '100M'], ['--timeout', '0'])):
            with self.subTest(words=words):
                self.got(share.link, '-o', f'copy{i}', *words)
                self.assert_file(self.at(f'copy{i}'), data)

    def test_an_identity_is_kept_from_run_to_run(self):
        self.ends(self.start('keygen', '-o', 'key'), 0)
        self.assertEqual(stat.S_IMODE(os.stat(self.at('key')).st_mode), 0o600)
        before = read(self.at('key'))
        self.assert_one_sentence(self.ends(self.start('keygen', '-o', 'key'), 10))
        self.assertEqual(read(self.at('key')), before)
        self.make('data', b'x')
        shares = [self.share('data', '--identity', 'key', '--public') for _ in range(2)]
        publishers = [share.link.split('/')[0].split('.')[2] for share in shares]
        self.assertEqual(publishers[0], publishers[1])
        self.got(shares[0].link, '-o', 'copy')


class Reports(ProgramTest):
    def test_json_fits_the_schema_and_ends_with_done(self):
        data = random_bytes(3 * MIB)
        share = self.share(self.make('data', data))
        get = self.got(share.link, '-o', 'copy', '--progress', 'json')
        events = get.events()
        for event in events:
            self.assertEqual(events_schema.problems(event), [])
        self.assertLessEqual({event['event'] for event in events}, GET_EVENTS)
        self.assertEqual(events[-1]['event'], 'done')
        self.assertEqual(events[-1]['bytes'], len(data))
        self.assertEqual(events[-1]['path'], 'copy')
        start = next(event for event in events if event['event'] == 'start')
        self.assertEqual((start['name'], start['bytes'], start['chunks']), ('data', len(data), 3))
        self.assertEqual(events[-2]['event'], 'progress')
        self.assertEqual(events[-2]['bytes_done'], len(data))
        self.assertEqual([source['bytes'] for source in events[-2]['by_source']], [len(data)])
        again = self.got(share.link, '-o', 'copy', '--progress', 'json').events()
        self.assertEqual((again[-1]['event'], again[-1]['path']), ('done', 'copy'))

    def test_progress_comes_as_often_as_asked_and_each_source_only_grows(self):
        data = random_bytes(4 * MIB)
        share = self.share(self.make('data', data), '--limit-up', '16M')
        events = self.got(share.link, '-o', 'copy', '--progress', 'json', '--progress-every', '0.01').events()
        given = [event['by_source'][0]['bytes'] for event in events if event['event'] == 'progress' and event['by_source']]
        self.assertEqual(given, sorted(given))
        self.assertEqual(given[-1], len(data))
        self.assertGreater(len(set(given)), 3)  # with the default interval there is time for two

    def test_json_ends_with_the_error(self):
        get = self.ends(self.get('peernet:nonsense', '--progress', 'json'), 2)
        self.assertEqual([event['event'] for event in get.events()], ['error'])
        self.assertEqual(events_schema.problems(get.events()[0]), [])
        self.assertEqual((get.events()[0]['code'], get.events()[0]['kind']), (2, 'usage'))

    def test_json_of_share_goes_to_stderr_and_keeps_the_link_out(self):
        share = self.share(self.make('data', random_bytes(MIB)), '--progress', 'json', '--once')
        self.got(share.link, '-o', 'copy')
        self.ends(share, 0)
        self.assertEqual(share.out, [share.link])
        events = [json.loads(line) for line in share.err]
        for event in events:
            self.assertEqual(events_schema.problems(event), [])
        self.assertIn('receiver', {event['event'] for event in events})
        self.assertNotIn(key_of(share.link), ''.join(share.err))

    def test_verbose_tells_the_engine_and_the_counters_but_no_key(self):
        share = self.share(self.make('data', random_bytes(MIB)), '-v')
        get = self.got(share.link, '-o', 'copy', '-v', '--io', 'epoll')
        self.assertRegex(get.line('engine '), r'^engine epoll, gso (on|off), gro (on|off), aead (ipsec-mb|openssl), shards \d')
        get.line('sessions_established 1')
        get.line('verified')
        self.assertEqual(get.out, [])
        share.stop()
        key = key_of(share.link)
        self.assertNotIn(key, ''.join(get.err))
        self.assertNotIn(key, ''.join(line for line in share.err if not line.startswith('  peernet get ')))

    def test_quiet_says_nothing(self):
        share = self.share(self.make('data', random_bytes(MIB)), '-q')
        get = self.got(share.link, '-o', 'copy', '-q')
        share.stop(signal.SIGINT)
        self.assertEqual((get.out, get.err, share.err), ([], [], []))

    def test_info_of_a_link_and_of_the_file_agree(self):
        data = random_bytes(MIB + 1)
        share = self.share(self.make('data', data))
        fields = {}
        for word in (share.link, 'data'):
            out = self.ends(self.start('info', word, '--state', self.state), 0).out
            fields[word] = dict(line.split(':', 1) for line in out)
        of_link, of_path = fields[share.link], fields['data']
        self.assertEqual(of_link['content'].strip(), share.link.split(':', 1)[1].split('.')[0])
        self.assertEqual(of_link['swarm'].strip(), 'private')
        for name in ('content', 'name', 'size', 'chunks'):
            self.assertEqual(of_link[name], of_path[name])
        self.assertTrue(of_path['size'].strip().startswith(f'{len(data)} '))
        self.assertNotIn(key_of(share.link), str(of_link))

    def test_info_offline_asks_nobody(self):
        share = self.share(self.make('data', b'x'))
        share.stop()
        out = self.ends(self.start('info', share.link, '--offline'), 0).out
        self.assertIn('name:      data', out)
        out = self.ends(self.start('info', share.link, '--timeout', '0.5'), 4).out
        self.assertIn('name:      data', out)  # what the link itself says is shown all the same

    def test_verify_tells_what_matches(self):
        data = random_bytes(MIB + 1)
        share = self.share(self.make('data', data))
        self.make('same', data)
        self.make('differs', data[:-1] + bytes([data[-1] ^ 1]))
        self.make('shorter', data[:-1])
        for name, status in (('same', 0), ('differs', 6), ('shorter', 6), ('missing', 7), ('.', 6)):
            with self.subTest(name=name):
                verify = self.ends(self.start('verify', name, '--against', share.link, '--state', self.state), status)
                if status:
                    self.assert_one_sentence(verify)
        self.assertEqual(sorted(set(os.listdir(self.folder)) - {'state'}), ['data', 'differs', 'same', 'shorter'])
        self.assert_file(self.at('shorter'), data[:-1])


if __name__ == '__main__':
    unittest.main()
