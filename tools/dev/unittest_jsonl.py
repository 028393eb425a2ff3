#!/usr/bin/env python3
"""Runs one Python unittest file for run_tests.py: unittest_jsonl.py RESULT FILE [--filter PATTERNS] [ARGUMENT...].

Writes JSON lines: first the planned cases, then one line for each as it ends, so that what a crash leaves out is seen.
ARGUMENT... are put into sys.argv of the test file.
"""

import fnmatch
import importlib.util
import json
import os
import sys
import unittest


class JsonLines(unittest.TestResult):
    """The worst outcome of a case wins: a failed subtest is a failed case."""

    def __init__(self, file):
        super().__init__()
        self.file, self.outcome, self.texts = file, None, []

    def write(self, record):
        self.file.write(json.dumps(record) + '\n')
        self.file.flush()

    def startTest(self, test):
        super().startTest(test)
        self.outcome, self.texts = None, []

    def stopTest(self, test):
        super().stopTest(test)
        # None: no subtest failed and addSuccess was not called, which unittest does only after a failure.
        self.write({'name': short(test), 'outcome': self.outcome or 'failed', 'text': '\n'.join(self.texts)})

    def note(self, test, outcome, text):
        if self.outcome != 'failed':
            self.outcome = outcome
        self.texts.append(text)
        if not isinstance(test, unittest.TestCase):  # setUpClass or setUpModule went wrong: no startTest, no stopTest
            self.write({'name': str(test), 'outcome': outcome, 'text': text})
            self.outcome, self.texts = None, []

    def addSuccess(self, test):
        self.note(test, 'passed', '')

    def addFailure(self, test, err):
        self.note(test, 'failed', self._exc_info_to_string(err, test))

    def addError(self, test, err):
        self.note(test, 'failed', self._exc_info_to_string(err, test))

    def addSubTest(self, test, subtest, err):
        if err is not None:
            self.note(test, 'failed', f'{subtest}\n{self._exc_info_to_string(err, test)}')

    def addSkip(self, test, reason):
        self.note(test, 'skipped', reason)

    def addExpectedFailure(self, test, err):
        self.note(test, 'passed', '')

    def addUnexpectedSuccess(self, test):
        self.note(test, 'failed', 'was expected to fail')


def short(test):
    return '.'.join(test.id().split('.')[-2:])


def flat(suite):
    for item in suite:
        if isinstance(item, unittest.TestSuite):
            yield from flat(item)
        else:
            yield item


def matches(name, patterns):
    """The patterns of GoogleTest: a:b-c:d."""
    wanted, _, unwanted = patterns.partition('-')
    return (any(fnmatch.fnmatchcase(name, pattern) for pattern in (wanted or '*').split(':')) and
            not any(fnmatch.fnmatchcase(name, pattern) for pattern in unwanted.split(':')))


def main():
    result_path, path = sys.argv[1:3]
    rest, patterns = sys.argv[3:], '*'
    if '--filter' in rest:
        at = rest.index('--filter')
        patterns = rest[at + 1]
        del rest[at:at + 2]
    sys.argv = [path] + rest
    sys.path.insert(0, os.path.dirname(os.path.realpath(path)))
    spec = importlib.util.spec_from_file_location(os.path.splitext(os.path.basename(path))[0], path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    cases = [case for case in flat(unittest.TestLoader().loadTestsFromModule(module)) if matches(short(case), patterns)]
    with open(result_path, 'w', encoding='utf-8') as file:
        result = JsonLines(file)
        result.write({'planned': [short(case) for case in cases]})
        unittest.TestSuite(cases).run(result)
        sys.exit(0 if result.wasSuccessful() else 1)


if __name__ == '__main__':
    main()
