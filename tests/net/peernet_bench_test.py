"""peernet-bench speedup and crowd as people use them: small files, what is printed and written, and what stays behind."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

BENCH = os.environ['PEERNET_BENCH_PROGRAM']
PEERNET = os.environ['PEERNET_PROGRAM']
DEADLINE_S = 240
SMALL = ('--size', '2M', '--runs', '2', '--keeper', '0', '--peernet', PEERNET)
RESULT = {'format': str, 'version': int, 'mode': str, 'title': str, 'started': str, 'command': list, 'machine': dict, 'versions': dict,
          'noise': dict, 'settings': dict, 'rows': list, 'figures': list, 'notes': list}
FIGURE = {'id': str, 'label': str, 'unit': str, 'better': str, 'median': float, 'min': float, 'max': float, 'count': int}


def processes_naming(text):
    """Those that live and have a text in their command line."""
    found = []
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{name}/cmdline', 'rb') as file:
                words = file.read()
        except OSError:
            continue
        if text.encode() in words and int(name) != os.getpid():
            found.append(words.replace(b'\0', b' ').decode(errors='replace'))
    return found


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='peernet-bench-test-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)

    def at(self, name):
        return os.path.join(self.folder, name)

    def run_bench(self, *words, status=0):
        done = subprocess.run([BENCH, *words], capture_output=True, text=True, timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        return done

    def measure(self, *words):
        """What was printed, and the result, which fits its format."""
        done = self.run_bench(*words, *SMALL, '--dir', self.folder, '--json', self.at('r.json'), '--html', self.at('r.html'))
        with open(self.at('r.json'), encoding='utf-8') as file:
            result = json.load(file)
        self.assertEqual({key: type(value) for key, value in result.items()}, RESULT)
        self.assertEqual((result['format'], result['version'], result['mode']), ('peernet-bench', 1, words[0]))
        for figure in result['figures']:
            self.assertEqual({key: type(value) for key, value in figure.items()}, FIGURE)
            self.assertLessEqual(figure['min'], figure['median'])
            self.assertLessEqual(figure['median'], figure['max'])
        for row in result['rows']:
            self.assertEqual(len(row['runs']), 2)
            for run in row['runs']:
                self.assertGreater(run['wall_seconds'], 0)
        with open(self.at('r.html'), encoding='utf-8') as file:
            self.assertIn(result['title'], file.read())
        self.assertEqual(sorted(os.listdir(self.folder)), ['r.html', 'r.json'])
        self.assertEqual(processes_naming(self.folder), [])
        return done.stdout, result


class Speedup(BenchTest):
    def test_several_sources_to_one_receiver(self):
        out, result = self.measure('speedup', '--local', '--sources', '1,3', '--sums')
        self.assertEqual([row['id'] for row in result['rows']], ['sources-1', 'sources-3'])
        self.assertEqual([row['parties'] for row in result['rows']], [1, 3])
        for row in result['rows']:
            for run in row['runs']:
                self.assertEqual(run['bytes'], 2_000_000)
                for key in ('source_cpu_seconds', 'receiver_cpu_seconds', 'source_memory_bytes', 'receiver_memory_bytes'):
                    self.assertGreater(run[key], 0, key)
            points = row['timeline']['points']
            self.assertEqual(sum(points[-1][1]), 2_000_000)
            for (at, before), (later, after) in zip(points, points[1:]):
                self.assertLessEqual(at, later)
                self.assertTrue(all(a <= b for a, b in zip(before, after)))
        self.assertIn('3 to 1', out)
        sums = [line.rsplit(' ', 1)[1] for line in out.splitlines() if line.startswith('SHA-256')]
        self.assertEqual(len(sums), 2)
        self.assertEqual(len(sums[0]), 64)
        self.assertEqual(sums[0], sums[1])

    def test_a_result_that_cannot_be_written_is_refused_before_anything_is_measured(self):
        for option, path in (('--json', self.at('missing/r.json')), ('--html', self.folder)):
            done = self.run_bench('speedup', '--local', '--size', '100G', option, path, status=2)
            self.assertIn(f'{option} "{path}" cannot be written', done.stderr)
        self.assertEqual(os.listdir(self.folder), [])

    def test_what_it_cannot_read_is_named(self):
        for words, text in ((('speedup', '--sources', '0..3'), '--sources wants'), (('speedup', '--sourcs', '1'), 'did you mean --sources?'),
                            (('speedup', '--local', '--links', '1M'), 'contradict'), (('crowd', '--links', 'fast'), '--links wants'),
                            (('crowd', '--peernet', '/nonexistent'), 'no program'), (('speedip',), 'did you mean speedup?'), ((), 'a mode is missing')):
            done = self.run_bench(*words, status=2)
            self.assertIn(text, done.stderr)
            self.assertEqual(done.stdout, '')

    def test_a_transfer_that_fails_is_told_in_the_words_of_the_program(self):
        false = self.at('peernet')
        with open(false, 'w', encoding='ascii') as file:
            file.write('#!/bin/sh\n[ "$1" = get ] || exec "$REAL" "$@"\necho "peernet get: the moon is in the way." >&2\nexit 5\n')
        os.chmod(false, 0o755)
        os.environ['REAL'] = PEERNET
        done = self.run_bench('speedup', *SMALL, '--sources', '1', '--dir', self.folder, '--peernet', false, status=1)
        self.assertIn('the moon is in the way', done.stderr)
        self.assertEqual(os.listdir(self.folder), ['peernet'])

    def ended_by(self, number, words):
        """Ends it when transfers are under way; what it left must go within the deadline."""
        with subprocess.Popen([BENCH, *words, '--size', '20M', '--runs', '1000', '--keeper', '0', '--peernet', PEERNET, '--dir', self.folder],
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as bench:
            for line in bench.stderr:
                if 'run 1 of' in line:
                    break
            bench.send_signal(number)
            bench.stderr.read()
            status = bench.wait(DEADLINE_S)
        end = time.monotonic() + DEADLINE_S
        while (os.listdir(self.folder) or processes_naming(self.folder)) and time.monotonic() < end:
            time.sleep(0.02)
        self.assertEqual(os.listdir(self.folder), [])
        self.assertEqual(processes_naming(self.folder), [])
        return status

    def test_an_interrupt_leaves_nothing(self):
        self.assertEqual(self.ended_by(signal.SIGINT, ['speedup', '--sources', '2']), 130)
        self.assertEqual(self.ended_by(signal.SIGINT, ['crowd', '--receivers', '2']), 130)

    def test_a_kill_leaves_nothing(self):
        self.assertEqual(self.ended_by(signal.SIGKILL, ['speedup', '--sources', '2']), -signal.SIGKILL)

    def test_links_need_rights_and_say_so(self):
        if os.geteuid() == 0 and shutil.which('setpriv') is None:
            self.skipTest('no setpriv here that may drop capabilities')
        wrapper = ('setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin') if os.geteuid() == 0 else ()
        if wrapper and subprocess.run([*wrapper, 'true'], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest('no setpriv here that may drop capabilities')
        done = subprocess.run([*wrapper, BENCH, 'speedup', '--links', '10M', *SMALL, '--dir', self.folder], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn('--local', done.stderr)


class Crowd(BenchTest):
    def test_one_source_to_several_receivers(self):
        out, result = self.measure('crowd', '--receivers', '1,2')
        rows = {row['id']: row for row in result['rows']}
        for run in rows['peernet-2']['runs']:
            self.assertEqual(run['bytes'], 4_000_000)
        self.assertEqual('http-2' in rows, bool(shutil.which('nginx') and shutil.which('curl')))
        self.assertIn('1 to 2, PeerNet', out)
        self.assertIn('peernet-2.slowdown', {figure['id'] for figure in result['figures']})


if __name__ == '__main__':
    unittest.main()
