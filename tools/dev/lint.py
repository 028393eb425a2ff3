#!/usr/bin/env python3
"""clang-format check and clang-tidy: lint.py BUILD_DIR [--all | FILE...]. Without files: what changed since the main branch."""

import argparse
import concurrent.futures
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
SUFFIXES = ('.cpp', '.hpp')


def git(*arguments):
    done = subprocess.run(['git', *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.splitlines() if done.returncode == 0 else None


def all_files():
    return git('ls-files', '--cached', '--others', '--exclude-standard', '--', '*.cpp', '*.hpp') or []


def changed_files():
    """Since the fork from the main branch; on the main branch itself, since the commit before; plus what is uncommitted."""
    head = git('rev-parse', 'HEAD')
    for base in ('origin/main', 'origin/master', 'main', 'master', 'HEAD~1'):
        fork = git('merge-base', base, 'HEAD')
        if fork and fork != head:
            break
    else:
        return all_files()
    changed = set(git('diff', '--name-only', '--diff-filter=d', fork[0]) or [])
    changed |= set(git('ls-files', '--others', '--exclude-standard') or [])
    return sorted(name for name in changed if name.endswith(SUFFIXES) and os.path.exists(os.path.join(ROOT, name)))


def compiled(build_dir):
    with open(os.path.join(build_dir, 'compile_commands.json'), encoding='utf-8') as file:
        return {os.path.realpath(os.path.join(entry['directory'], entry['file'])) for entry in json.load(file)}


def with_includers(files, units):
    """clang-tidy reads headers through a file that includes them: its own .cpp, else the first that names it."""
    wanted = {name for name in files if name.endswith('.cpp')}
    for header in (name for name in files if name.endswith('.hpp')):
        own = header.removesuffix('.hpp') + '.cpp'
        if os.path.join(ROOT, own) in units:
            wanted.add(own)
            continue
        needle = '#include "' + header.split('/', 1)[1] + '"'
        for unit in sorted(units):
            with open(unit, encoding='utf-8', errors='replace') as file:
                if needle in file.read():
                    wanted.add(os.path.relpath(unit, ROOT))
                    break
    return sorted(name for name in wanted if os.path.join(ROOT, name) in units)


def tidy(build_dir, name):
    done = subprocess.run(['clang-tidy-19', '-p', build_dir, '--quiet', '--warnings-as-errors=*', name], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    return name, done.returncode, done.stdout + (done.stderr if done.returncode and not done.stdout.strip() else '')


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('build_dir', type=os.path.realpath)
    parser.add_argument('files', nargs='*')
    parser.add_argument('--all', action='store_true')
    parser.add_argument('--jobs', type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.files:
        files = [os.path.relpath(os.path.realpath(name), ROOT) for name in options.files]
        missing = [name for name in files if not os.path.isfile(os.path.join(ROOT, name))]
        if missing:
            sys.exit(f'lint: no such file: {" ".join(missing)}')
    else:
        files = all_files() if options.all else changed_files()
    if not files:
        print('lint: nothing changed')
        return

    bad = subprocess.run(['clang-format-19', '--dry-run', '--Werror', *files], cwd=ROOT, check=False).returncode != 0
    if bad:
        print('lint: ./dev fmt would change these files')
    units = with_includers(files, compiled(options.build_dir))
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for name, status, text in pool.map(lambda unit: tidy(options.build_dir, unit), units):
            if status:
                bad = True
                print(f'{name}:\n{text}', flush=True)
    print(f'lint: {len(files)} files, clang-tidy on {len(units)}: {"problems found" if bad else "clean"}')
    sys.exit(1 if bad else 0)


if __name__ == '__main__':
    main()
