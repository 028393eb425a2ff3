"""peernet get -o -: the content on standard output in order, into real pipes with real readers, fast, slow and impatient ones."""

import hashlib
import json
import os
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), '..', 'unit', 'cli'))
import events_schema  # noqa: E402
from peernet_program import DEADLINE_S, PROGRAM, ProgramTest, random_bytes  # noqa: E402

MIB = 1 << 20


class Streams(ProgramTest):
    def pipeline(self, link, *words, reader):
        """get -o - | reader; (exit status of get, what reader printed, standard error of get)."""
        get = subprocess.Popen([PROGRAM, 'get', link, '-o', '-', '--listen', '127.0.0.1:0', '--state', self.state, *words],
                               cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        behind = subprocess.Popen(reader, stdin=get.stdout, stdout=subprocess.PIPE)
        get.stdout.close()
        try:
            out = behind.communicate(timeout=DEADLINE_S)[0]
            err = get.communicate(timeout=DEADLINE_S)[1]
        finally:
            for process in (get, behind):
                if process.poll() is None:
                    process.kill()
                    process.wait()
        return get.returncode, out.decode(errors='replace'), err.decode()

    def test_what_a_pipe_reads_is_the_content(self):
        for size in (0, 1, 4096, 65535, 65536, 65537, MIB - 1, MIB, MIB + 1, 40 * MIB + 5):
            with self.subTest(size=size):
                data = random_bytes(size, size)
                share = self.share(self.make('data', data), '-q')
                status, out, err = self.pipeline(share.link, reader=['sha256sum'])
                self.assertEqual(status, 0, err)
                self.assertEqual(out.split()[0], hashlib.sha256(data).hexdigest())
                share.stop()
        self.assertLessEqual(set(os.listdir(self.folder)), {'data', 'state'})  # no part, no file

    def test_a_file_behind_the_redirection_is_written_at_its_place(self):
        data = random_bytes(3 * MIB + 1)
        share = self.share(self.make('data', data))
        with open(self.at('copy'), 'wb') as file:
            file.write(b'before')
            file.flush()
            self.ends(self.get(share.link, '-o', '-', pass_stdout=file), 0)
        self.assert_file(self.at('copy'), b'before' + data)

    def test_a_reader_that_has_enough_ends_it_quietly(self):
        share = self.share(self.make('data', random_bytes(60 * MIB)))
        status, out, err = self.pipeline(share.link, reader=['head', '-c', '5'])
        self.assertEqual((status, err), (128 + signal.SIGPIPE, ''))
        self.assertTrue(out)
        status, _, err = self.pipeline(share.link, '-v', reader=['true'])
        self.assertEqual(status, 128 + signal.SIGPIPE)
        self.assertIn('the reader of the output is gone', err)

    def test_a_slow_reader_neither_times_out_nor_fills_memory(self):
        data = random_bytes(80 * MIB)
        share = self.share(self.make('data', data))
        # Nothing is read for three times the patience; meanwhile requests stop when the buffers are full.
        slow = 'import hashlib, sys, time; time.sleep(3); print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
        status, out, err = self.pipeline(share.link, '--timeout', '1', '--progress', 'json', reader=[sys.executable, '-c', slow])
        self.assertEqual(status, 0, err)
        self.assertEqual(out.strip(), hashlib.sha256(data).hexdigest())
        early = [event for event in map(json.loads, filter(lambda line: line.startswith('{'), err.splitlines()))
                 if event['event'] == 'progress' and event['bytes_done'] < 2 * MIB]
        self.assertTrue(early)
        self.assertLess(max(event['bytes_received'] for event in early), 40 * MIB)

    def test_json_goes_to_standard_error(self):
        share = self.share(self.make('data', random_bytes(2 * MIB)))
        status, _, err = self.pipeline(share.link, '--progress', 'json', reader=['sha256sum'])
        self.assertEqual(status, 0, err)
        events = [json.loads(line) for line in err.splitlines()]
        for event in events:
            self.assertEqual(events_schema.problems(event), [])
        self.assertEqual((events[-1]['event'], events[-1]['path']), ('done', '-'))

    def test_ctrl_c_ends_it_although_nobody_reads(self):
        share = self.share(self.make('data', random_bytes(40 * MIB)))
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        get = self.get(share.link, '-o', '-', '--progress', 'json', pass_stdout=writing)
        os.close(writing)
        get.until(lambda: any('"bytes_done":' in line and '"bytes_done":0,' not in line for line in get.err), 'some bytes')
        self.assertEqual(get.stop(signal.SIGINT), 128 + signal.SIGINT)

    def test_a_terminal_is_refused(self):
        share = self.share(self.make('data', random_bytes(100)))
        master, slave = os.openpty()
        self.addCleanup(os.close, master)
        get = self.get(share.link, '-o', '-', pass_stdout=slave)
        os.close(slave)
        self.ends(get, 2)
        self.assertIn('terminal', self.assert_one_sentence(get))

    def test_a_full_disk_behind_a_redirection_is_told(self):
        share = self.share(self.make('data', random_bytes(100)))
        with open('/dev/full', 'wb') as full:
            get = self.ends(self.get(share.link, '-o', '-', pass_stdout=full), 8)
        self.assertIn('output', self.assert_one_sentence(get))

    def test_options_that_do_not_fit(self):
        get = self.ends(self.start('get', 'peernet:x', '-o', '-', '--overwrite'), 2)
        self.assertIn('--overwrite and -o -', self.assert_one_sentence(get))


class Sequential(ProgramTest):
    def test_a_file_can_be_fetched_in_order(self):
        data = random_bytes(9 * MIB + 3)
        share = self.share(self.make('data', data))
        self.got(share.link, '-o', 'copy', '--sequential')
        self.assert_file(self.at('copy'), data)


if __name__ == '__main__':
    unittest.main()
