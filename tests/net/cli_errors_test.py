"""Every wrong input has one sentence and its exit code; what was verified is kept, and nothing partial gets the final name."""

import os
import pty
import signal
import socket
import subprocess
import unittest

from peernet_program import PROGRAM, ProgramTest, key_of, random_bytes, read_terminal, write

MIB = 1 << 20
SLOW = '1M'  # bytes per second: a chunk takes a second, so that there is time to interfere


def other_character(text, at):
    """A link with another character there, still good base64url (never the last one of an id: two of its bits are spare)."""
    return text[:at] + ('A' if text[at] != 'A' else 'B') + text[at + 1:]


class Usage(ProgramTest):
    def refused(self, *words):
        process = self.ends(self.start(*words), 2)
        self.assertEqual(process.out, [])
        return self.assert_one_sentence(process)

    def test_command_lines_that_make_no_sense(self):
        for words in ([], ['frobnicate'], ['get'], ['get', 'x', 'y'], ['get', 'x', '--nonsense'], ['get', 'x', '--io', 'fast'],
                      ['get', 'x', '-o'], ['share'], ['share', 'a', 'b'], ['-v'], ['verify', 'x'], ['keygen']):
            with self.subTest(words=words):
                self.assertIn('--help"', self.refused(*words) if words else self.refused_without_words())

    def refused_without_words(self):
        done = subprocess.run([PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
        self.assertEqual(done.returncode, 2)
        return done.stderr.decode()

    def test_links_that_do_not_parse(self):
        share = self.share(self.make('data', b'x'))
        self.make('empty', b'')
        self.make('long', b'x' * 100_000)
        for link in ('nonsense', 'peernet:', share.link[:60], share.link.replace('peernet:', 'http:'), share.link + ' x', '@empty', '@long', '@'):
            with self.subTest(link=link):
                self.assertNotIn(key_of(share.link), self.refused('get', link))

    def test_options_that_only_the_engine_can_judge(self):
        self.make('data', b'x')
        self.refused('share', 'data', '--listen', 'somewhere')
        self.refused('share', 'data', '--listen', '127.0.0.1:0', '--advertise', 'a b')
        self.make('key', b'no key')
        self.refused('share', 'data', '--listen', '127.0.0.1:0', '--identity', 'key')

    def test_help_and_version_are_for_stdout(self):
        for words in (['--help'], ['--version'], ['get', '--help'], ['share', '-h']):
            process = self.ends(self.start(*words), 0)
            self.assertTrue(process.out)
            self.assertEqual(process.err, [])


class Sources(ProgramTest):
    def test_a_wrong_key_is_refused(self):
        share = self.share(self.make('data', random_bytes(1000)))
        link = share.link.replace(key_of(share.link), other_character(key_of(share.link), 20))
        self.assert_one_sentence(self.ends(self.get(link, '-o', 'copy'), 9))
        self.assertFalse(os.path.exists(self.at('copy')))

    def test_unknown_content(self):
        share = self.share(self.make('data', random_bytes(1000)), '--public')
        link = other_character(share.link, len('peernet:') + 10)
        self.assert_one_sentence(self.ends(self.get(link, '-o', 'copy'), 3))

    def test_nobody_answers(self):
        share = self.share(self.make('data', random_bytes(1000)))
        share.stop()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
            silent.bind(('127.0.0.1', 0))
            link = share.link.rsplit(':', 1)[0] + f':{silent.getsockname()[1]}/data'
            self.assert_one_sentence(self.ends(self.get(link, '-o', 'copy', '--timeout', '1'), 4))
        self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'copy', '--timeout', '1'), 4))  # a closed port

    def slow_get(self, size=6 * MIB, *words):
        self.data = random_bytes(size)
        share = self.share(self.make('data', self.data), '--limit-up', SLOW)
        get = self.get(share.link, '-o', 'copy', '--progress', 'json', *words)
        get.until_received(MIB)
        return share, get

    def assert_part_kept_and_used(self):
        self.assertFalse(os.path.exists(self.at('copy')))
        self.assertTrue(os.path.exists(self.at('copy.part')))
        share = self.share('data')
        get = self.got(share.link, '-o', 'copy', '--progress', 'json')
        done = get.events()[-1]
        self.assertGreaterEqual(done['bytes_resumed'], MIB, str(get))
        self.assertLess(done['bytes_received'], len(self.data), str(get))
        self.assertIn('verify', {event['event'] for event in get.events()})
        self.assert_file(self.at('copy'), self.data)
        self.assertFalse(os.path.exists(self.at('copy.part')))

    def test_a_source_that_dies_midway(self):
        share, get = self.slow_get(6 * MIB, '--timeout', '2')
        share.stop(signal.SIGKILL)
        self.ends(get, 5)
        self.assert_one_sentence(get)
        self.assertEqual(get.events()[-1]['kind'], 'no_progress')
        self.assert_part_kept_and_used()

    def test_a_source_that_comes_back(self):
        share, get = self.slow_get()
        port = share.link.rsplit('/', 1)[0].rsplit(':', 1)[1]
        share.stop(signal.SIGKILL)
        self.assertTrue(port.isdigit())
        get.stop(signal.SIGTERM)  # the key is fresh with each share, so another link is needed
        self.assert_part_kept_and_used()

    def test_a_file_that_changes_while_it_is_shared(self):
        share, get = self.slow_get()
        with open(self.at('data'), 'r+b') as file:
            file.seek(5 * MIB)
            file.write(b'changed')
        self.ends(share, 6)
        self.assertIn('changed', self.assert_one_sentence(share))
        self.ends(get, 6)
        self.assert_one_sentence(get)
        self.assertFalse(os.path.exists(self.at('copy')))
        write(self.at('data'), self.data)
        self.assert_part_kept_and_used()

    def test_a_file_that_is_cut_while_it_is_shared(self):
        share, get = self.slow_get()
        os.truncate(self.at('data'), MIB // 2)
        self.ends(share, 6)
        self.ends(get, 6)  # not 5 after a minute
        self.assertIn('changed', self.assert_one_sentence(get))

    def test_slow_is_not_silent(self):
        data = random_bytes(MIB)
        share = self.share(self.make('data', data), '--limit-up', '300k')
        self.got(share.link, '-o', 'copy', '--timeout', '1')  # its only chunk takes three times as long
        self.assert_file(self.at('copy'), data)

    def test_interrupted(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number):
                share, get = self.slow_get()
                self.assertEqual(get.stop(number), 128 + number, str(get))
                self.assertEqual(get.events()[-1]['code'], 128 + number)
                share.stop()
                self.assert_part_kept_and_used()
                os.unlink(self.at('copy'))

    def test_killed(self):
        share, get = self.slow_get()
        self.assertEqual(get.stop(signal.SIGKILL), -signal.SIGKILL)
        self.assert_part_kept_and_used()  # at once: the kernel may still hold the dead process's lock
        share.stop()

    def test_a_share_is_interrupted_while_it_hashes_or_serves(self):
        with open(self.at('big'), 'wb') as file:
            file.truncate(64 << 30)  # sparse; hashing it takes a while
        share = self.start('share', 'big', '--listen', '127.0.0.1:0', '--state', self.state, '-v')
        share.line('engine ')
        self.assertEqual(share.stop(signal.SIGINT), 128 + signal.SIGINT, str(share))
        self.assertEqual(share.out, [])
        share = self.share(self.make('data', b'x'))
        self.assertEqual(share.stop(signal.SIGINT), 128 + signal.SIGINT, str(share))


class Disk(ProgramTest):
    def test_a_target_that_exists(self):
        data = random_bytes(MIB + 1)
        share = self.share(self.make('data', data))
        self.make('copy', data)
        self.assertIn('already complete', self.got(share.link, '-o', 'copy').err[-1])
        self.make('copy', b'mine')
        get = self.ends(self.get(share.link, '-o', 'copy'), 10)
        self.assertIn('--overwrite', self.assert_one_sentence(get))
        self.assert_file(self.at('copy'), b'mine')
        self.got(share.link, '-o', 'copy', '--overwrite')
        self.assert_file(self.at('copy'), data)
        os.mkdir(self.at('folder'))
        os.mkdir(self.at('folder', 'data'))
        self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'folder/', '--overwrite'), 10))

    def test_two_gets_of_one_target(self):
        share = self.share(self.make('data', random_bytes(6 * MIB)), '--limit-up', SLOW)
        first = self.get(share.link, '-o', 'copy', '--progress', 'json')
        first.until_received(MIB)
        self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'copy'), 10))
        first.stop()

    def test_what_cannot_be_read(self):
        self.assert_one_sentence(self.ends(self.start('share', 'missing', '--listen', '127.0.0.1:0'), 7))
        self.assert_one_sentence(self.ends(self.start('get', '@missing'), 7))
        self.assert_one_sentence(self.ends(self.start('info', 'missing'), 7))
        self.make('secret', b'x')
        os.chmod(self.at('secret'), 0)
        share = self.start('share', 'secret', '--listen', '127.0.0.1:0', '--state', self.state, wrapper=self.without_override())
        self.assert_one_sentence(self.ends(share, 7))

    def test_a_folder_without_write_permission(self):
        share = self.share(self.make('data', random_bytes(1000)))
        os.mkdir(self.at('closed'))
        os.chmod(self.at('closed'), 0o555)
        get = self.ends(self.get(share.link, '-o', 'closed/', wrapper=self.without_override()), 7)
        self.assertIn('closed/data', self.assert_one_sentence(get))
        self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'no-such-folder/'), 7))
        self.assert_one_sentence(self.ends(self.get(share.link, '-o', 'no-such-folder/name'), 7))

    def test_a_full_disk(self):
        os.mkdir(self.at('small'))
        mount = ('unshare', '--mount', 'sh', '-c', f'mount -t tmpfs -o size=1m none {self.at("small")} && exec "$0" "$@"')
        if subprocess.run([*mount, 'true'], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest('no tmpfs can be mounted here')
        share = self.share(self.make('data', random_bytes(3 * MIB)))
        get = self.ends(self.get(share.link, '-o', 'small/copy', wrapper=mount), 8)
        self.assertIn('small/copy', self.assert_one_sentence(get))

    def test_a_link_that_cannot_be_told(self):
        self.make('data', b'x')
        words = ('share', 'data', '--listen', '127.0.0.1:0', '--state', self.state)
        with open('/dev/full', 'wb') as full:
            self.assert_one_sentence(self.ends(self.start(*words, pass_stdout=full), 8))
        closed = self.start(*words, wrapper=('sh', '-c', 'exec "$0" "$@" >&-'))
        self.assert_one_sentence(self.ends(closed, 7))
        reader, writer = os.pipe()
        os.close(reader)
        self.assert_one_sentence(self.ends(self.start(*words, pass_stdout=writer), 7))
        os.close(writer)
        nowhere = self.ends(self.start(*words, '--link-file', 'no/such/folder'), 7)
        self.assertIn('no/such/folder', self.assert_one_sentence(nowhere))

    def test_a_reader_of_json_that_goes_away_does_not_end_the_transfer(self):
        data = random_bytes(MIB)
        share = self.share(self.make('data', data))
        reader, writer = os.pipe()
        os.close(reader)
        self.ends(self.get(share.link, '-o', 'copy', '--progress', 'json', pass_stdout=writer), 0)
        os.close(writer)
        self.assert_file(self.at('copy'), data)


class Terminal(ProgramTest):
    def test_one_line_is_rewritten_and_cleared(self):
        data = random_bytes(3 * MIB)
        share = self.share(self.make('data', data), '--limit-up', SLOW)
        ours, theirs = pty.openpty()
        self.addCleanup(os.close, ours)
        child = subprocess.Popen([PROGRAM, 'get', share.link, '-o', 'copy', '--state', self.state], cwd=self.folder, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, 'TERM': 'xterm', 'NO_COLOR': '1'})
        os.close(theirs)
        try:
            text = read_terminal(ours, lambda seen: 'verified' in seen)
        finally:
            child.kill() if child.poll() is None and 'verified' not in text else child.wait()
            child.stdout.close()
        self.assertRegex(text, r'\rdata \d+% \d\.\d/3\.0 MiB .*sources 1\x1b\[K')
        self.assertRegex(text, r'ETA ')
        self.assertTrue(text.split('\r')[-1].strip() == '' or '\x1b[Kcopy: ' in text, repr(text[-200:]))
        self.assertNotIn('\x1b[1m', text)
        self.assert_file(self.at('copy'), data)


if __name__ == '__main__':
    unittest.main()
