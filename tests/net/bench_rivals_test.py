"""peernet-bench rivals and engines with small contents: whatever is installed delivers, what fails is told in its own words and
spoils nothing else, and nothing stays behind."""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

BENCH = os.environ['PEERNET_BENCH_PROGRAM']
PEERNET = os.environ['PEERNET_PROGRAM']
DEADLINE_S = 240
ALWAYS = ['cp', 'socat', 'rsync', 'libtorrent', 'libtorrent-encrypted', 'libtorrent-utp']  # what the tests install
NO_FOLDERS = ['curl-http', 'curl-https', 'aria2']
KEYS = {'format', 'version', 'mode', 'title', 'started', 'command', 'machine', 'versions', 'noise', 'settings', 'rows',
        'figures', 'notes'}


def processes_in(folder):
    """Those that run in a folder, or were told its name."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as file:
                words = file.read().decode(errors='replace').replace('\0', ' ')
            if int(pid) != os.getpid() and (folder in words or os.readlink(f'/proc/{pid}/cwd').startswith(folder)):
                found.append(words)
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


class BenchTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='bench-rivals-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.scratch = os.path.join(self.folder, 'scratch')
        os.mkdir(self.scratch)
        self.json = os.path.join(self.folder, 'result.json')

    def words(self, mode, *words):
        return [BENCH, mode, '--peernet', PEERNET, '--keeper', '0', '--runs', '1', '--dir', self.scratch, '--json', self.json,
                *words]

    def run_bench(self, *words, status=0, path=None):
        env = {**os.environ, 'PATH': f'{path}:{os.environ["PATH"]}'} if path else None
        done = subprocess.run(self.words(*words), capture_output=True, text=True, timeout=DEADLINE_S, env=env, check=False)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        self.assertEqual(os.listdir(self.scratch), [], 'files stay behind')
        self.assertEqual(processes_in(self.scratch), [], 'processes stay behind')
        return done

    def result(self, *words, **options):
        done = self.run_bench(*words, **options)
        with open(self.json, encoding='utf-8') as file:
            result = json.load(file)
        result['out'] = done.stdout
        return result

    def plant(self, name, script):
        """A program that is found before the real one; the folder for PATH."""
        folder = os.path.join(self.folder, 'planted')
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, 'w', encoding='utf-8') as file:
            file.write('#!/bin/sh\n' + script)
        os.chmod(path, os.stat(path).st_mode | stat.S_IXUSR)
        return folder

    def installed(self):
        done = self.run_bench('rivals', '--list')
        rows = [line.split() for line in done.stdout.splitlines()[1:]]
        names = [row[0] for row in rows if ' no; Debian' not in ' '.join(row)]
        self.assertLessEqual({'peernet', *ALWAYS}, set(names))
        return names

    def given_up(self, result):
        return [note for note in result['notes'] if note.startswith('given up')]


class Rivals(BenchTest):
    def check_rows(self, result, names, size):
        self.assertEqual(self.given_up(result), [])
        self.assertEqual([row['id'] for row in result['rows']], names)
        figures = {figure['id']: figure for figure in result['figures']}
        for row in result['rows']:
            self.assertEqual({run['bytes'] for run in row['runs']}, {size})
            self.assertTrue(all(run['wall_seconds'] > 0 and run['receiver_cpu_seconds'] > 0 for run in row['runs']), row)
            self.assertGreater(figures[row['id'] + '.wall_seconds']['median'], 0)
            self.assertRegex(result['out'], rf'(?m)^{row["id"]} +[0-9]')
        # One run of peernet beside each run of another.
        self.assertEqual(len(result['rows'][0]['runs']), len(names) - 1)
        for row in result['rows'][1:]:
            own, its = result['rows'][0]['runs'], row['runs'][0]['wall_seconds']
            ratio = figures[row['id'] + '.ratio']
            self.assertEqual((ratio['unit'], ratio['better'], ratio['count']), ('x', 'less', 1))
            self.assertIn(f'{ratio["median"]:.6f}', [f'{run["wall_seconds"] / its:.6f}' for run in own])

    def test_every_installed_tool_delivers_a_file(self):
        names = self.installed()
        result = self.result('rivals', '--size', '300k')
        self.assertLessEqual(KEYS, set(result))
        self.assertEqual((result['format'], result['version'], result['mode']), ('peernet-bench', 1, 'rivals'))
        self.assertEqual({key: result['settings'][key] for key in ('size_bytes', 'runs', 'sync', 'links', 'max_datagram')},
                         {'size_bytes': 300_000, 'runs': 1, 'sync': 'none', 'links': 'loopback', 'max_datagram': 1500})
        self.check_rows(result, names, 300_000)
        self.assertTrue(all(re.match(r'[0-9]+\.', result['versions'][name]) for name in names), result['versions'])
        for row in result['rows']:
            for run in row['runs']:
                self.assertEqual('source_cpu_seconds' in run, row['id'] != 'cp')

    def test_every_tool_for_folders_delivers_one_to_disk(self):
        names = [name for name in self.installed() if name not in NO_FOLDERS]
        result = self.result('rivals', '--files', '120,3k', '--durable')
        self.check_rows(result, names, 360_000)
        self.assertEqual(result['settings']['sync'], 'file')
        self.assertEqual(result['settings']['files'], {'count': 120, 'size_bytes': 3000})

    def test_a_tool_that_fails_is_told_in_its_own_words_and_spoils_nothing(self):
        path = self.plant('rsync', 'case "$1" in --version) echo version 3.2.7;; *) echo "the disk is upside down" >&2; exit 7;; esac\n')
        result = self.result('rivals', '--size', '1k', '--tools', 'cp,socat,rsync', path=path)
        self.assertEqual([row['id'] for row in result['rows']], ['peernet', 'cp', 'socat'])
        self.assertEqual(len(self.given_up(result)), 1)
        self.assertIn('the disk is upside down', self.given_up(result)[0])
        self.assertFalse([figure for figure in result['figures'] if figure['id'].startswith('rsync')])

    def test_a_receiver_that_fails_is_told_with_its_exit_code(self):
        path = self.plant('cp', 'echo "no room for $1" >&2; exit 3\n')
        result = self.result('rivals', '--size', '1k', '--tools', 'cp', path=path)
        self.assertIn('no room for -r (exit code 3)', self.given_up(result)[0])
        self.assertEqual([row['id'] for row in result['rows']], ['peernet'])
        self.assertEqual(len(result['rows'][0]['runs']), 1)

    def test_wrong_bytes_are_no_result(self):
        path = self.plant('cp', 'head -c 1000 /dev/zero > "$3"\n')
        result = self.result('rivals', '--size', '1k', '--tools', 'cp', path=path)
        self.assertIn('not what was sent', self.given_up(result)[0])

    def test_a_missing_file_of_a_folder_is_no_result(self):
        path = self.plant('cp', '/bin/cp "$@" && rm "$3"/d00000/f0000002.bin\n')
        result = self.result('rivals', '--files', '5,10', '--tools', 'cp', path=path)
        self.assertIn('not what was sent', self.given_up(result)[0])

    def test_without_sync_the_durable_table_is_not_had(self):
        path = self.plant('sync', 'echo "sync says no" >&2; exit 1\n')
        result = self.result('rivals', '--size', '1k', '--tools', 'cp', '--durable', path=path)
        self.assertIn('sync says no', self.given_up(result)[0])

    def test_when_peernet_fails_nothing_is_measured(self):
        peernet = os.path.join(self.plant('peernet', 'echo "peernet: not today." >&2; exit 1\n'), 'peernet')
        done = self.run_bench('rivals', '--size', '1k', '--tools', 'cp', '--peernet', peernet, status=1)
        self.assertIn('not today', done.stderr)
        self.assertEqual(done.stdout, '')
        self.assertFalse(os.path.exists(self.json))

    def test_another_build_is_one_more_rival(self):
        result = self.result('rivals', '--size', '1k', '--tools', 'peernet', '--against', PEERNET)
        self.check_rows({**result, 'out': result['out'].replace('peernet --against', 'against')}, ['peernet', 'against'], 1000)

    def test_share_is_measured_to_its_link(self):
        result = self.result('rivals', '--hash', '--size', '1M')
        self.assertLessEqual({'peernet', 'sha256sum'}, {row['id'] for row in result['rows']})
        self.assertEqual(self.given_up(result), [])
        self.assertIn('sha256sum.ratio', [figure['id'] for figure in result['figures']])

    def test_memory_that_is_kept_backed_is_not_counted_as_theirs(self):
        result = self.result('rivals', '--size', '1k', '--tools', 'cp', '--keeper', '1')
        for row in result['rows']:
            for run in row['runs']:
                self.assertLess(run['receiver_memory_bytes'], 700_000_000)

    def test_words_that_make_no_sense_name_the_fix(self):
        for words, expected in ((['--tools', 'cpp'], 'did you mean cp?'),
                                (['--files', '10'], 'a number and a size'),
                                (['--files', '0,1k'], 'a number and a size'),
                                (['--files', '10,1k', '--tools', 'curl-http'], 'moves no folders'),
                                (['--hash', '--durable'], '--hash reads one file'),
                                (['--size', 'much'], 'such as 200M')):
            done = self.run_bench('rivals', *words, status=2)
            self.assertIn(expected, done.stderr)
            self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_an_interrupt_leaves_no_server_and_no_file(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            child = subprocess.Popen(self.words('rivals', '--size', '30M', '--runs', '1000', '--tools', 'socat,rsync,libtorrent'),
                                     stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            with child:
                for line in child.stderr:  # ends with the process
                    if 'run 1 of' in line:
                        break
                child.send_signal(number)
                out, err = child.communicate(timeout=DEADLINE_S)
            self.assertEqual(child.returncode, 130, err)
            self.assertEqual(out, '')
            self.assertIn('interrupted', err)
            self.assertEqual(os.listdir(self.scratch), [])
            self.assertEqual(processes_in(self.scratch), [])
            self.assertFalse(os.path.exists(self.json))

    def test_an_interrupt_ends_the_children_of_a_tool_too(self):
        path = self.plant('cp', '[ "$1" != --version ] || exit 0\nsleep 4321 & wait\n')
        child = subprocess.Popen(self.words('rivals', '--size', '1k', '--tools', 'cp', '-q'), stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, env={**os.environ, 'PATH': f'{path}:{os.environ["PATH"]}'})
        with child:
            end = time.monotonic() + DEADLINE_S
            while not any('sleep 4321' in words for words in processes_in(self.scratch)):
                self.assertLess(time.monotonic(), end)
                time.sleep(0.01)
            child.send_signal(signal.SIGINT)
        self.assertEqual(child.returncode, 130)
        self.assertEqual(processes_in(self.scratch), [])

    def test_when_it_is_killed_its_children_end_and_its_files_go(self):
        child = subprocess.Popen(self.words('rivals', '--size', '30M', '--runs', '1000', '--tools', 'libtorrent'),
                                 stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        with child:
            for line in child.stderr:
                if 'run 1 of' in line:
                    break
            child.kill()
        end = time.monotonic() + DEADLINE_S
        while processes_in(self.scratch) or os.listdir(self.scratch):
            self.assertLess(time.monotonic(), end, processes_in(self.scratch) + os.listdir(self.scratch))
            time.sleep(0.01)


class Engines(BenchTest):
    def test_each_technique_is_measured_or_left_out_with_the_reason(self):
        result = self.result('engines', '--size', '2M')
        self.assertLessEqual(KEYS, set(result))
        self.assertEqual(result['mode'], 'engines')
        self.assertEqual(self.given_up(result), [])
        rows = {row['id']: row for row in result['rows']}
        self.assertEqual(result['rows'][0]['id'], 'default')
        self.assertLessEqual({'default', 'no-offload', 'buffered', 'sha256', 'synced'}, set(rows))
        for name in ('epoll', 'openssl'):
            self.assertTrue(name in rows or any(note.startswith('left out: ' + name) for note in result['notes']), result['notes'])
        cores = min(os.sysconf('SC_NPROCESSORS_ONLN'), 8)
        self.assertEqual([name for name in rows if name.startswith('shards-')], [f'shards-{n}' for n in range(1, cores)])
        figures = {figure['id']: figure for figure in result['figures']}
        for name in rows:
            if name != 'default':
                self.assertEqual((figures[name + '.ratio']['unit'], figures[name + '.ratio']['better']), ('x', ''))
                self.assertGreater(figures[name + '.cpu_ratio']['median'], 0)

    def test_cases_can_be_chosen(self):
        result = self.result('engines', '--size', '1k', '--cases', 'sha256,synced')
        self.assertEqual([row['id'] for row in result['rows']], ['default', 'sha256', 'synced'])

    def test_what_the_program_cannot_do_is_left_out(self):
        script = f'case "$*" in *"--io uring"*) echo "no ring is to be had" >&2; exit 1;; esac\nexec {PEERNET} "$@"\n'
        peernet = os.path.join(self.plant('peernet', script), 'peernet')
        result = self.result('engines', '--size', '1k', '--cases', 'epoll,sha256', '--peernet', peernet)
        self.assertEqual([row['id'] for row in result['rows']], ['default', 'sha256'])
        self.assertTrue(any('epoll' in note and 'no ring is to be had' in note for note in result['notes']), result['notes'])


if __name__ == '__main__':
    unittest.main()
