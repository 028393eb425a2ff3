"""Every Google Benchmark program of this folder starts, lists its benchmarks and finishes each of them for a moment."""

import json
import os
import re
import subprocess
import tempfile
import unittest

HERE = os.path.dirname(os.path.realpath(__file__))
PROGRAMS = os.path.join(os.environ['PEERNET_BUILD_ROOT'], 'bench')
ROOMS = sorted(name.removesuffix('_bench.cpp') for name in os.listdir(HERE) if name.endswith('_bench.cpp'))
# What a kernel or a file system may refuse; anything else that skips has rotted.
MAY_SKIP = ('this kernel refuses the engine', 'no direct writes here', '/dev/shm takes no file')
# The others of the room differ in their arguments alone, and fill tables with a million peers first.
ONLY = {'tracker': '^(announce/10000/100000|scrape/.*|heartbeat_of_32/1|node_announce/10)$'}
PATIENCE_S = 60
# One iteration each, where the source does not say how many; without the "s" that 1.8 knows and Debian's 1.7 does not.
SHORTEST = '0.000001'


def run(room, *flags):
    return subprocess.run([os.path.join(PROGRAMS, 'bench_' + room), '--benchmark_filter=' + ONLY.get(room, '.'), *flags],
                          capture_output=True, text=True, check=False, timeout=PATIENCE_S)


class Micro(unittest.TestCase):
    """A case for each room is added below."""

    def test_each_room_has_an_entry_in_the_build(self):
        self.assertEqual(sorted(name.removeprefix('bench_') for name in os.listdir(PROGRAMS)
                                if re.fullmatch('bench_[a-z]+', name)), ROOMS)

    def finishes(self, room):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, 'out.json')
            done = run(room, '--benchmark_min_time=' + SHORTEST, '--benchmark_out=' + out, '--benchmark_out_format=json')
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(out, encoding='utf-8') as file:
                results = json.load(file)['benchmarks']
        listed = run(room, '--benchmark_list_tests').stdout.split()
        self.assertGreater(len(listed), 0)
        self.assertEqual(len(results), len(listed))
        for one in results:
            if one.get('error_occurred'):
                self.assertTrue(one['error_message'].startswith(MAY_SKIP), f"{one['name']}: {one['error_message']}")
            else:
                self.assertGreater(one['iterations'], 0, one['name'])


for one_room in ROOMS:
    setattr(Micro, 'test_' + one_room, lambda self, room=one_room: self.finishes(room))

if __name__ == '__main__':
    unittest.main()
