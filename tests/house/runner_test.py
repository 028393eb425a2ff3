"""tools/dev/run_tests.py notices every way in which a test program can go wrong."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SAMPLE = os.environ['PEERNET_RUNNER_SAMPLE']

PYTHON_SAMPLE = '''
import os, unittest
class Sample(unittest.TestCase):
    def test_a(self): pass
    def test_b(self): {body}
    def test_c(self): pass
'''


class Runner(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.skips = os.path.join(self.dir.name, 'skips.txt')
        self.list_skips('# none')

    def list_skips(self, text):
        with open(self.skips, 'w', encoding='utf-8') as file:
            file.write(text + '\n')

    def run_entries(self, entries, *arguments):
        """Returns (exit status, last line, everything printed)."""
        info = os.path.join(self.dir.name, 'meson-info')
        os.makedirs(info, exist_ok=True)
        with open(os.path.join(info, 'intro-tests.json'), 'w', encoding='utf-8') as file:
            json.dump(entries, file)
        done = subprocess.run([sys.executable, os.path.join(ROOT, 'tools/dev/run_tests.py'), '--skips', self.skips, *arguments,
                               self.dir.name], capture_output=True, text=True, check=False)
        lines = done.stdout.splitlines()
        return done.returncode, lines[-1] if lines else '', done.stdout + done.stderr

    def entry(self, command, mode='', suite='peernet'):
        return {'name': 'sample', 'cmd': command, 'env': {'SAMPLE_MODE': mode}, 'suite': [suite], 'timeout': 30,
                'is_parallel': True, 'workdir': self.dir.name}

    def run_mode(self, mode, *arguments):
        return self.run_entries([self.entry([SAMPLE], mode)], *arguments)

    def run_python(self, body):
        path = os.path.join(self.dir.name, 'python_sample.py')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(PYTHON_SAMPLE.format(body=body))
        return self.run_entries([self.entry([sys.executable, path])])

    def test_everything_passes(self):
        status, last, _ = self.run_mode('')
        self.assertEqual((status, last), (0, '8 passed, 0 failed, 0 skipped'))

    def test_a_failed_case_is_shown_with_the_command_that_repeats_it(self):
        status, last, text = self.run_mode('fail')
        self.assertEqual((status, last), (1, '7 passed, 1 failed, 0 skipped'))
        self.assertIn('planted failure', text)
        self.assertIn('--gtest_filter=Sample.FailsOnRequest', text)

    def test_a_failed_parameter_is_one_case(self):
        status, last, text = self.run_mode('param')
        self.assertEqual((status, last), (1, '7 passed, 1 failed, 0 skipped'))
        self.assertIn('FAILED: sample/All/SampleParam.TakesParameters/1', text)

    def test_a_crash_fails_the_case_and_those_after_it(self):
        status, last, text = self.run_mode('crash')
        self.assertEqual((status, last), (1, '3 passed, 5 failed, 0 skipped'))
        self.assertIn('SIGABRT', text)

    def test_an_early_exit_with_status_0_fails_the_rest(self):
        status, last, _ = self.run_mode('leave')
        self.assertEqual((status, last), (1, '5 passed, 3 failed, 0 skipped'))

    def test_a_bad_exit_status_after_good_cases_is_a_failure(self):
        status, last, _ = self.run_mode('exit')
        self.assertEqual((status, last), (1, '8 passed, 1 failed, 0 skipped'))

    def test_a_hanging_program_is_killed_and_fails(self):
        status, last, text = self.run_mode('hang', '--timeout-scale', '0.05')
        self.assertEqual((status, last), (1, '4 passed, 4 failed, 0 skipped'))
        self.assertIn('was killed', text)

    def test_an_unlisted_skip_is_a_failure(self):
        status, last, _ = self.run_mode('skip')
        self.assertEqual((status, last), (1, '7 passed, 1 failed, 0 skipped'))

    def test_a_listed_skip_is_a_skip(self):
        self.list_skips('sample/Sample.Skips* | planted reason')
        self.assertEqual(self.run_mode('skip')[:2], (0, '7 passed, 0 failed, 1 skipped'))

    def test_a_listed_skip_for_another_reason_is_a_failure(self):
        self.list_skips('sample/Sample.SkipsOnRequest | some other reason')
        self.assertEqual(self.run_mode('skip')[:2], (1, '7 passed, 1 failed, 0 skipped'))

    def test_a_skip_entry_without_a_reason_is_a_failure(self):
        self.list_skips('sample/Sample.SkipsOnRequest')
        status, _, text = self.run_mode('')
        self.assertEqual(status, 1)
        self.assertIn('skips.txt:1', text)

    def test_no_case_at_all_is_a_failure(self):
        self.assertEqual(self.run_entries([])[:2], (1, '0 passed, 0 failed, 0 skipped'))
        self.assertEqual(self.run_mode('', '--filter', 'Nothing.*')[:2], (1, '0 passed, 0 failed, 0 skipped'))

    def test_cases_that_were_listed_and_not_run_are_failures(self):
        status, last, _ = self.run_mode('empty')
        self.assertEqual((status, last), (1, '0 passed, 8 failed, 0 skipped'))

    def test_a_program_that_is_not_a_googletest_is_a_failure(self):
        self.assertEqual(self.run_entries([self.entry(['/bin/true'])])[:2], (1, '0 passed, 1 failed, 0 skipped'))
        self.assertEqual(self.run_entries([self.entry(['/nonexistent'])])[:2], (1, '0 passed, 1 failed, 0 skipped'))

    def test_a_filter_chooses_cases(self):
        self.assertEqual(self.run_mode('fail', '--filter', 'Sample.P*')[:2], (0, '1 passed, 0 failed, 0 skipped'))
        self.assertEqual(self.run_mode('fail', '--without-cases', '*Fails*')[:2], (0, '7 passed, 0 failed, 0 skipped'))

    def test_python_cases_are_counted(self):
        self.assertEqual(self.run_python('pass')[:2], (0, '3 passed, 0 failed, 0 skipped'))
        self.assertEqual(self.run_python('self.fail()')[:2], (1, '2 passed, 1 failed, 0 skipped'))
        self.assertEqual(self.run_python('os._exit(0)')[:2], (1, '1 passed, 2 failed, 0 skipped'))
        self.assertEqual(self.run_python('self.skipTest("why")')[:2], (1, '2 passed, 1 failed, 0 skipped'))
        self.assertEqual(self.run_python('pass\nraise RuntimeError')[0], 1)

    def test_a_plain_program_is_one_case(self):
        for command, expected in ((['/bin/true'], (0, '1 passed, 0 failed, 0 skipped')),
                                  (['/bin/false'], (1, '0 passed, 1 failed, 0 skipped'))):
            self.assertEqual(self.run_entries([self.entry(command, suite='plain')])[:2], expected)

    def test_what_a_program_leaves_running_is_ended(self):
        marker = os.path.join(self.dir.name, 'alive')
        script = f'(sleep 2; touch {marker}) & exit 0'
        self.run_entries([self.entry(['/bin/sh', '-c', script], suite='plain')])
        subprocess.run(['sleep', '2.5'], check=True)
        self.assertFalse(os.path.exists(marker))


if __name__ == '__main__':
    unittest.main()
