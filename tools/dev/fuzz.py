#!/usr/bin/env python3
"""Runs the libFuzzer targets of a build: fuzz.py BUILD_DIR [TARGET] [SECONDS].

Each target starts from tests/fuzz/corpus/TARGET (kept in the repository, where there is one) and from what earlier runs
found (BUILD_DIR/fuzz-corpus/TARGET). A target whose name ends in "canary" holds a planted crash and must find it.
"""

import argparse
import concurrent.futures
import os
import re
import subprocess
import sys
import tempfile

from targets import executables

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
GRACE_S = 120  # reading a corpus and writing a report come on top of the fuzzing time


def name_of(path):
    return os.path.basename(path).removeprefix('fuzz_')


def fuzz(build_dir, path, seconds):
    """Returns (name, ok, summary, log path)."""
    name = name_of(path)
    work = os.path.join(build_dir, 'fuzz-corpus', name)
    crashes = os.path.join(build_dir, 'fuzz-crashes', name)
    log_path = os.path.join(build_dir, 'test-logs', f'fuzz_{name}.log')
    for folder in (work, crashes, os.path.dirname(log_path)):
        os.makedirs(folder, exist_ok=True)
    corpora = [work] + [path for path in [os.path.join(ROOT, 'tests', 'fuzz', 'corpus', name)] if os.path.isdir(path)]
    program = os.path.join(build_dir, path)
    command = [program, f'-max_total_time={seconds}', '-timeout=10', '-rss_limit_mb=1024', '-print_final_stats=1',
               f'-artifact_prefix={crashes}/', *corpora]
    with open(log_path, 'wb') as log, tempfile.TemporaryDirectory(prefix='peernet-fuzz-') as scratch:
        try:
            status = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, cwd=scratch,
                                    timeout=seconds + GRACE_S, check=False).returncode
        except subprocess.TimeoutExpired:
            status = None
    with open(log_path, encoding='utf-8', errors='replace') as log:
        text = log.read()
    runs = int((re.findall(r'stat::number_of_executed_units:\s*(\d+)', text) or ['0'])[-1])
    artifact = (re.findall(r'Test unit written to (\S+)', text) or [''])[-1]
    cover = (re.findall(r'\bcov: (\d+)', text) or ['0'])[-1]
    summary = f'{runs} runs, {cover} edges'
    if name.endswith('canary'):
        found = status not in (0, None) and bool(artifact)
        return name, found, 'found its planted crash' if found else f'did NOT find its planted crash ({summary})', log_path
    if status == 0 and runs > 0:
        return name, True, summary, log_path
    if artifact:
        return name, False, f'CRASH; repeat: {os.path.relpath(program, ROOT)} {os.path.relpath(artifact, ROOT)}', log_path
    return name, False, f'ended with {status} after {runs} runs', log_path


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('build_dir', type=os.path.realpath)
    parser.add_argument('target', nargs='?', default='all')
    parser.add_argument('seconds', nargs='?', type=int)
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.seconds is None:  # `./dev fuzz 10`: all targets for 10 s each
        options.seconds = int(options.target) if options.target.isdigit() else 30
        options.target = 'all' if options.target.isdigit() else options.target
    if options.seconds < 1:
        parser.error('SECONDS must be at least 1')

    targets = [path for path in executables(options.build_dir, 'tests/fuzz') if os.path.basename(path).startswith('fuzz_')]
    chosen = [path for path in targets if options.target in ('all', name_of(path), os.path.basename(path))]
    if not chosen:
        sys.exit(f"fuzz: there is no target '{options.target}'; there are: {' '.join(map(name_of, targets)) or 'none'}")
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        runs = [pool.submit(fuzz, options.build_dir, path, options.seconds) for path in chosen]
        for run in concurrent.futures.as_completed(runs):
            name, ok, summary, log_path = run.result()
            failed += not ok
            print(f'{"ok    " if ok else "FAILED"} {name}: {summary}', flush=True)
            if not ok:
                with open(log_path, encoding='utf-8', errors='replace') as log:
                    print(''.join('    ' + line for line in log.readlines()[-40:]), flush=True)
    print(f'{len(chosen)} targets, {failed} failed')
    sys.exit(1 if failed else 0)


if __name__ == '__main__':
    main()
