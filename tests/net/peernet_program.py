"""The program under test as real processes on loopback: share() and get() of ProgramTest."""

import json
import os
import random
import re
import select
import shutil
import subprocess
import tempfile
import time
import unittest

from child_program import Child

PROGRAM = os.environ['PEERNET_PROGRAM']
DEADLINE_S = 90
PEERNET_IO = os.environ.get('PEERNET_IO')
KEY = re.compile(r'(?<=\.)[A-Za-z0-9_-]{43}(?=\.)')  # the middle one of three


def random_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


def write(path, data):
    with open(path, 'wb') as file:
        file.write(data)


def read(path):
    with open(path, 'rb') as file:
        return file.read()


def key_of(link):
    return KEY.search(link).group(0)


class Process(Child):
    """A running peernet."""

    DEADLINE_S = DEADLINE_S

    def __init__(self, words, cwd, stdin=None, wrapper=(), pass_stdout=None, env=None):
        words = [str(word) for word in words]
        engine = ['--io', PEERNET_IO] if PEERNET_IO and '--io' not in words and words[0] in ('share', 'get', 'verify') else []
        super().__init__('peernet', words, [*wrapper, PROGRAM, *words, *engine], stdin=stdin,
                         stdout=subprocess.PIPE if pass_stdout is None else pass_stdout, cwd=cwd, env={**os.environ, **(env or {})})

    def events(self):
        return [json.loads(line) for line in list(self.out)]

    def until_received(self, count):
        """get --progress json: waits until so many bytes are verified and written."""
        self.until(lambda: any(event.get('bytes_done', 0) >= count for event in self.events()), f'{count} received bytes')


class ProgramTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='peernet-cli-')
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.end_all)
        self.processes = []
        self.state = os.path.join(self.folder, 'state')

    def end_all(self):
        for process in self.processes:
            process.end()

    def at(self, *names):
        return os.path.join(self.folder, *names)

    def make(self, name, data):
        write(self.at(name), data)
        return self.at(name)

    def start(self, *words, **options):
        process = Process(words, self.folder, **options)
        self.processes.append(process)
        return process

    def without_override(self):
        """Root, too, then obeys the mode of files."""
        if os.geteuid() != 0:
            return ()
        wrapper = ('setpriv', '--bounding-set=-dac_override,-dac_read_search', '--inh-caps=-dac_override,-dac_read_search')
        if shutil.which('setpriv') is None or subprocess.run([*wrapper, 'true'], stderr=subprocess.DEVNULL, check=False).returncode != 0:
            self.skipTest('no setpriv here that may drop capabilities')
        return wrapper

    def share(self, path, *words, **options):
        """A process that serves; its .link is what it printed."""
        process = self.start('share', path, '--listen', '127.0.0.1:0', '--state', self.state, *words, **options)
        process.until(lambda: process.out, 'the link')
        process.link = process.out[0]
        return process

    def get(self, link, *words, **options):
        return self.start('get', link, '--listen', '127.0.0.1:0', '--state', self.state, *words, **options)

    def ends(self, process, status):
        self.assertEqual(process.wait(), status, str(process))
        return process

    def got(self, link, *words, **options):
        return self.ends(self.get(link, *words, **options), 0)

    def assert_file(self, path, data):
        self.assertTrue(read(path) == data, f'{path} holds something else')

    def assert_one_sentence(self, process):
        """The last words: one line, a full sentence, nothing secret."""
        lines = [line for line in process.err if line.startswith('peernet ') or line.startswith('peernet:')]
        self.assertEqual(len(lines), 1, str(process))
        self.assertRegex(lines[0], r'[.?"]$')
        return lines[0]


def read_terminal(fd, condition):
    """Reads a pseudo terminal until condition(text) holds or its other side is gone."""
    text, end = '', time.monotonic() + DEADLINE_S
    while not condition(text):
        if time.monotonic() > end:
            raise AssertionError(f'not seen on the terminal: {text!r}')
        if select.select([fd], [], [], 0.2)[0]:
            try:
                part = os.read(fd, 65536)
            except OSError:  # EIO: nobody writes any more
                break
            if not part:
                break
            text += part.decode(errors='replace')
    return text
