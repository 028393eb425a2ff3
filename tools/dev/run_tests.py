#!/usr/bin/env python3
"""Runs the tests that meson knows and counts test cases from the runners' own results.

Every test is a GoogleTest program (counted from --gtest_output=json, checked against --gtest_list_tests), a Python
unittest file (counted by unittest_jsonl.py) or, in the suite "plain", any program (one case, its exit status). A case that
was announced and has no result, because its program crashed, hung or left early, counts as failed. A skip counts as
skipped only when tests/skips.txt lists it with its reason. The last line is "N passed, N failed, N skipped".
"""

import argparse
import collections
import concurrent.futures
import dataclasses
import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
UNITTEST_RUNNER = os.path.join(ROOT, 'tools', 'dev', 'unittest_jsonl.py')
LISTING_TIMEOUT_S = 60
NO_LIMIT_S = 3600  # meson's timeout 0 means none; a hanging test still must not hang CI for ever
SHOWN_LINES = 60
PASSED, FAILED, SKIPPED = 'passed', 'failed', 'skipped'


@dataclasses.dataclass
class Case:
    name: str
    outcome: str
    text: str = ''
    repeat: str = ''


@dataclasses.dataclass
class Skip:
    program: str
    case: str
    reason: str


class SkipList:
    """tests/skips.txt: `program/Case | reason`, both names may hold * and ?; the reason is part of what the test says."""

    def __init__(self, path):
        self.entries, self.errors = [], []
        if not os.path.exists(path):
            return
        with open(path, encoding='utf-8') as file:
            for number, line in enumerate(file, 1):
                line = line.strip()
                if not line or line.startswith('#'):
                    continue
                name, bar, reason = (part.strip() for part in line.partition('|'))
                program, slash, case = name.partition('/')
                if not (bar and reason and slash and program and case):
                    self.errors.append(f'{path}:{number}: not `program/Case | reason`: {line}')
                else:
                    self.entries.append(Skip(program, case, reason))

    def allows(self, program, case, text):
        said = ' '.join(text.split())
        return any(fnmatch.fnmatchcase(program, entry.program) and fnmatch.fnmatchcase(case, entry.case) and
                   ' '.join(entry.reason.split()) in said for entry in self.entries)


class Children:
    """Runs programs in process groups of their own, so that whatever they leave behind ends with them."""

    def __init__(self):
        self._lock, self._groups = threading.Lock(), set()

    def run(self, command, env, cwd, log_path, timeout_s):
        """Returns (exit status or None on timeout, seconds); a negative status is a signal."""
        start = time.monotonic()
        with open(log_path, 'wb') as log:
            child = subprocess.Popen(command, env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=subprocess.STDOUT, start_new_session=True)
        with self._lock:
            self._groups.add(child.pid)
        status = None
        try:
            status = child.wait(timeout_s)
        except subprocess.TimeoutExpired:
            pass
        self._kill(child.pid)
        child.wait()
        with self._lock:
            self._groups.discard(child.pid)
        return status, time.monotonic() - start

    def kill_all(self):
        with self._lock:
            for group in self._groups:
                self._kill(group)

    @staticmethod
    def _kill(group):
        try:
            os.killpg(group, signal.SIGKILL)
        except ProcessLookupError:
            pass


def read_text(path):
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            return file.read()
    except FileNotFoundError:
        return ''


def ended(status, timeout_s):
    if status is None:
        return f'did not end within {timeout_s:.0f} s and was killed'
    if status < 0:
        try:
            return f'was killed by {signal.Signals(-status).name}'
        except ValueError:
            return f'was killed by signal {-status}'
    return f'ended with exit status {status}'


# ---- GoogleTest ------------------------------------------------------------------------------------------------------

def parse_listing(text):
    """Case names of --gtest_list_tests; None when the text is no such list."""
    names, suite = [], None
    for line in text.splitlines():
        line = line.split('  # ')[0].rstrip()
        if re.fullmatch(r'\S+\.', line):
            suite = line
        elif suite and re.fullmatch(r'  \S+', line):
            names.append(suite + line.strip())
        elif suite:
            return None  # something else printed in between: do not guess
    return names


def case_texts(log):
    """What each case printed, from its RUN line to its end; the text of a case that never ended runs to the end."""
    texts, name, lines = {}, None, []
    for line in log.splitlines():
        begun = re.match(r'\[ RUN      \] (\S+)', line)
        if begun:
            name, lines = begun.group(1), []
            texts[name] = lines
        elif name is not None:
            done = re.search(r'\[(?:       OK |  FAILED  |  SKIPPED )\] ' + re.escape(name) + r'(?:,| \()', line)
            lines.append(line)
            if done:
                name = None
    return {key: '\n'.join(value) for key, value in texts.items()}


def parse_results(path):
    """{case: outcome} of --gtest_output=json; empty when the program did not live to write it."""
    try:
        with open(path, encoding='utf-8', errors='replace') as file:
            report = json.load(file)
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    outcomes = {}
    for suite in report.get('testsuites', []):
        for case in suite.get('testsuite', []):
            name = f"{suite['name']}.{case['name']}"
            if case.get('failures'):
                outcomes[name] = FAILED
            elif case.get('status') != 'RUN' or case.get('result') in ('SKIPPED', 'SUPPRESSED'):
                outcomes[name] = SKIPPED
            else:
                outcomes[name] = PASSED
    return outcomes


def outcomes_from_log(log):
    """What a crashed program managed to finish, from its console lines."""
    words = {'       OK ': PASSED, '  FAILED  ': FAILED, '  SKIPPED ': SKIPPED}
    return {name: words[word]
            for word, name in re.findall(r'\[(       OK |  FAILED  |  SKIPPED )\] (\S+?)(?:,[^\n]*)? \(\d+ ms\)', log)}


# ---- one program -----------------------------------------------------------------------------------------------------

class Program:
    """One entry of `meson introspect --tests`."""

    def __init__(self, entry, options, children):
        self.name = entry['name']
        self.command = entry['cmd']
        self.suites = {suite.split(':')[-1] for suite in entry['suite']}
        self.serial = not entry['is_parallel']
        self.env_extra = dict(entry['env'])
        self.cwd = entry['workdir'] or os.path.realpath(options.build_dir)
        limit = entry['timeout'] if entry['timeout'] > 0 else NO_LIMIT_S
        # meson's default of 30 s is meant for an idle machine; a test here may share two cores with the rest.
        self.timeout_s = max(60, 2 * limit) * options.timeout_scale
        self.options, self.children = options, children
        self.log = os.path.join(options.build_dir, 'test-logs', self.name.replace('/', '_') + '.log')
        self.result = self.log[:-len('.log')] + '.result'
        self.duration_s = 0.0

    def kind(self):
        if 'plain' in self.suites:
            return 'plain'
        words = [os.path.basename(word) for word in self.command[:2]]
        return 'unittest' if any(word.endswith('.py') for word in words) else 'gtest'

    def run(self):
        for path in (self.log, self.result):
            if os.path.exists(path):
                os.unlink(path)
        scratch = tempfile.mkdtemp(prefix='peernet-test-')
        try:
            return {'gtest': self.run_gtest, 'unittest': self.run_unittest, 'plain': self.run_plain}[self.kind()](scratch)
        except OSError as error:
            return [Case('(program)', FAILED, f'could not be started: {error}', self.repeat())]
        finally:
            shutil.rmtree(scratch, ignore_errors=True)

    def env(self, scratch):
        env = {key: value for key, value in os.environ.items() if not key.startswith(('GTEST_', 'TESTBRIDGE_'))}
        env.update(self.env_extra, TMPDIR=scratch, XDG_STATE_HOME=os.path.join(scratch, 'state'), GTEST_COLOR='no')
        return env

    def start(self, command, scratch, log, timeout_s):
        return self.children.run(command, self.env(scratch), self.cwd, log, timeout_s)

    def repeat(self, *arguments):
        kept = {key: os.environ[key] for key in ('PEERNET_IO', 'ASAN_OPTIONS', 'UBSAN_OPTIONS', 'TSAN_OPTIONS') if key in os.environ}
        words = [f'{key}={shlex.quote(value)}' for key, value in {**kept, **self.env_extra}.items()]
        for word in self.command + list(arguments):
            inside = os.path.isabs(word) and word.startswith(ROOT + os.sep)
            words.append(shlex.quote(os.path.relpath(word, ROOT) if inside else word))
        return ' '.join(words)

    # -- GoogleTest

    def run_gtest(self, scratch):
        selection = self.options.filter or '*'
        if self.options.without_cases:
            selection += ('' if '-' in selection else '-') + (':' if '-' in selection else '') + self.options.without_cases
        chosen = [] if selection == '*' else ['--gtest_filter=' + selection]
        status, _ = self.start(self.command + chosen + ['--gtest_list_tests'], scratch, self.log, LISTING_TIMEOUT_S)
        planned = parse_listing(read_text(self.log))
        if status != 0 or planned is None:
            return [Case('(program)', FAILED, f'--gtest_list_tests {ended(status, LISTING_TIMEOUT_S)}:\n{read_text(self.log)}',
                         self.repeat('--gtest_list_tests'))]
        if not planned:
            return [] if chosen else [Case('(program)', FAILED, 'holds no test case', self.repeat())]
        status, self.duration_s = self.start(self.command + chosen + ['--gtest_output=json:' + os.path.realpath(self.result)],
                                             scratch, self.log, self.timeout_s)
        return self.judge_gtest(planned, status, read_text(self.log))

    def judge_gtest(self, planned, status, log):
        outcomes, texts = parse_results(self.result), case_texts(log)
        whole = bool(outcomes)
        if not whole:
            outcomes = outcomes_from_log(log)
        cases, running = [], True
        for name in planned:
            text, outcome = texts.get(name, ''), outcomes.get(name)
            if outcome is None:
                outcome = FAILED
                if name in texts and running:
                    text += f'\nthe program {ended(status, self.timeout_s)} in this case'
                    running = False
                else:
                    text = f'was not run: the program {ended(status, self.timeout_s)} before'
            elif outcome == SKIPPED and name not in texts:
                text = 'disabled by its name'
            cases.append(Case(name, outcome, text, self.repeat('--gtest_filter=' + name)))
        if status != 0 and not any(case.outcome == FAILED for case in cases):
            cases.append(Case('(program)', FAILED, f'all cases ended well, but the program {ended(status, self.timeout_s)}\n{log}',
                              self.repeat()))
        return cases

    # -- Python unittest

    def run_unittest(self, scratch):
        script = next(word for word in self.command if word.endswith('.py'))
        arguments = self.command[self.command.index(script) + 1:]
        if self.options.filter:
            arguments = arguments + ['--filter', self.options.filter]
        # The interpreter that the test names: it may have modules that this one lacks.
        interpreter = self.command[:self.command.index(script)] or [sys.executable]
        command = interpreter + [UNITTEST_RUNNER, os.path.realpath(self.result), script] + arguments
        status, self.duration_s = self.start(command, scratch, self.log, self.timeout_s)
        planned, done = [], {}
        for line in read_text(self.result).splitlines():
            record = json.loads(line)
            if 'planned' in record:
                planned = record['planned']
            else:
                done[record['name']] = record
        cases = []
        for name in planned + [name for name in done if name not in planned]:
            record = done.get(name)
            if record is None:
                record = {'outcome': FAILED, 'text': f'has no result: the program {ended(status, self.timeout_s)}\n{read_text(self.log)}'}
            cases.append(Case(name, record['outcome'], record['text'], self.repeat(name)))
        if status != 0 and cases and not any(case.outcome == FAILED for case in cases):
            cases.append(Case('(program)', FAILED, f'all cases ended well, but the program {ended(status, self.timeout_s)}\n{read_text(self.log)}',
                              self.repeat()))
        if not cases and not (status == 0 and self.options.filter):
            cases.append(Case('(program)', FAILED, f'ran no test case and {ended(status, self.timeout_s)}\n{read_text(self.log)}', self.repeat()))
        return cases

    # -- anything else

    def run_plain(self, scratch):
        status, self.duration_s = self.start(self.command, scratch, self.log, self.timeout_s)
        outcome = {0: PASSED, 77: SKIPPED}.get(status, FAILED)
        text = read_text(self.log)
        if outcome == FAILED:
            text += f'\n{ended(status, self.timeout_s)}'
        return [Case(self.name, outcome, text, self.repeat())]


# ---- all programs ----------------------------------------------------------------------------------------------------

def introspect(build_dir):
    with open(os.path.join(build_dir, 'meson-info', 'intro-tests.json'), encoding='utf-8') as file:
        return json.load(file)


def chosen(program, options):
    if program.suites & set(options.without_suite):
        return False
    return not options.programs or any(word in program.name for word in options.programs)


def indented(text):
    lines = text.strip('\n').splitlines()
    if len(lines) > SHOWN_LINES:
        half = SHOWN_LINES // 2
        lines = lines[:half] + [f'... {len(lines) - SHOWN_LINES} lines, all of them in the log ...'] + lines[-half:]
    return '\n'.join('    ' + line for line in lines)


class Tally:
    def __init__(self, skips):
        self.skips, self.counts, self.failures, self.skipped = skips, collections.Counter(), [], []

    def add(self, program, cases):
        here = collections.Counter()
        for case in cases:
            if case.outcome == SKIPPED:
                if self.skips.allows(program.name, case.name, case.text):
                    self.skipped.append((program, case))
                else:
                    case.outcome = FAILED
                    case.text += '\nskipped, and tests/skips.txt does not list this skip with this reason'
            if case.outcome == FAILED:
                self.failures.append((program, case))
            here[case.outcome] += 1
        self.counts += here
        return here

    def report(self):
        for program, case in self.skipped:
            print(f'skipped: {program.name}/{case.name}')
        for program, case in self.failures:
            print(f'\nFAILED: {program.name}/{case.name}   (log: {os.path.relpath(program.log)})')
            if case.text.strip():
                print(indented(case.text))
            print(f'  repeat: {case.repeat}')
        if self.failures:
            print('\nfailed cases:')
            for program, case in self.failures:
                print(f'  {program.name}/{case.name}')
        print(f'{self.counts[PASSED]} passed, {self.counts[FAILED]} failed, {self.counts[SKIPPED]} skipped', flush=True)


def run_all(programs, options, tally):
    """Parallel ones first, the longest first by their own limit; then the serial ones, alone."""
    done = 0

    def finished(program, cases):
        nonlocal done
        done += 1
        here = tally.add(program, cases)
        word = 'FAILED' if here[FAILED] else 'ok'
        print(f'[{done}/{len(programs)}] {program.name}: {word}, {sum(here.values())} cases, {program.duration_s:.1f} s', flush=True)

    parallel = sorted((p for p in programs if not p.serial), key=lambda p: -p.timeout_s)
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        futures = {pool.submit(program.run): program for program in parallel}
        try:
            for future in concurrent.futures.as_completed(futures):
                finished(futures[future], future.result())
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    for program in programs:
        if program.serial:
            finished(program, program.run())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build_dir')
    parser.add_argument('programs', nargs='*', help='names, or parts of names, of the programs to run')
    parser.add_argument('--filter', help='a GoogleTest filter; for Python tests the same patterns')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    parser.add_argument('--timeout-scale', type=float, default=1.0)
    parser.add_argument('--without-suite', action='append', default=[], metavar='SUITE')
    parser.add_argument('--without-cases', metavar='PATTERNS', help='GoogleTest patterns of cases to leave out')
    parser.add_argument('--skips', default=os.path.join(ROOT, 'tests', 'skips.txt'))
    options = parser.parse_args()

    children = Children()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    os.makedirs(os.path.join(options.build_dir, 'test-logs'), exist_ok=True)
    programs = [Program(entry, options, children) for entry in introspect(options.build_dir)]
    programs = [program for program in programs if chosen(program, options)]
    skips = SkipList(options.skips)
    for error in skips.errors:
        print(error, file=sys.stderr)
    tally = Tally(skips)
    try:
        run_all(programs, options, tally)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        children.kill_all()
    if not sum(tally.counts.values()):
        print('no test case was run', file=sys.stderr)
    tally.report()
    bad = tally.counts[FAILED] or not tally.counts[PASSED] or skips.errors
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
