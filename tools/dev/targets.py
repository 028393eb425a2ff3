#!/usr/bin/env python3
"""Prints ninja targets, one a line: targets.py programs BUILD_DIR FOLDER, the executables that a folder's meson.build
defines; targets.py tests BUILD_DIR NAME..., what the tests need whose names hold one of NAME..."""

import json
import os
import sys


def read(build_dir, name):
    with open(os.path.join(build_dir, 'meson-info', name + '.json'), encoding='utf-8') as file:
        return json.load(file)


def executables(build_dir, folder):
    """Paths relative to the build directory of every executable defined in `folder` or below it."""
    directories = read(build_dir, 'meson-info')['directories']
    found = []
    for target in read(build_dir, 'intro-targets'):
        defined_in = os.path.relpath(target['defined_in'], directories['source'])
        if target['type'] == 'executable' and defined_in.startswith(folder.rstrip('/') + '/'):
            found.append(os.path.relpath(target['filename'][0], directories['build']))
    return sorted(found)


def needed_by_tests(build_dir, names):
    build = read(build_dir, 'meson-info')['directories']['build']
    files = {target['id']: target['filename'] for target in read(build_dir, 'intro-targets')}
    found, tests = set(), read(build_dir, 'intro-tests')
    if not any(name in test['name'] for test in tests for name in names):
        sys.exit(f'no test is named like this: {" ".join(names)}')
    for test in tests:
        if any(name in test['name'] for name in names):
            wanted = test['cmd'] + [path for target in test['depends'] for path in files.get(target, [])]
            wanted = [os.path.normpath(path) for path in wanted]
            found |= {os.path.relpath(path, build) for path in wanted if path.startswith(build + os.sep)}
    return sorted(found)


def main():
    if len(sys.argv) < 4 or sys.argv[1] not in ('programs', 'tests'):
        sys.exit(__doc__)
    what, build_dir, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
    print('\n'.join(executables(build_dir, rest[0]) if what == 'programs' else needed_by_tests(build_dir, rest)))


if __name__ == '__main__':
    main()
