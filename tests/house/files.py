"""Rules for files as such: length, room READMEs, leftovers, and that every source is built."""

import os
import re
import sys

HOUSE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(HOUSE)), 'tools', 'dev'))
import run_tests  # noqa: E402  (it stands beside the verbs, not beside the tests)

MAX_LINES = 500
README_MAX_LINES = 30
TEXT = ('.cpp', '.hpp', '.h', '.py', '.md', '.txt', '.build', '.sh', '.yml', '.json')
TEXT_NAMES = ('dev', 'run', '.clang-tidy', '.clang-format')
NOT_OURS = {'.git', 'build', '__pycache__', '.cache', 'corpus', 'LICENSE'}
# Work that is announced instead of done, switched-off code and tests, and paths of somebody's machine.
LEFTOVERS = [
    (re.compile(r'\b(TODO|FIXME|XXX|HACK|WIP)\b'), 'a marker of unfinished work'),
    (re.compile(r'^\s*#\s*if\s+0\b'), 'code that is switched off'),
    (re.compile(r'\bTEST(_[FP])?\(\w+,\s*DISABLED_|\bTEST_F?P?\(DISABLED_'), 'a disabled test'),
    (re.compile(r'/work/(main|shared)\b|/tmp/brief\b'), 'a path of one machine'),
]
HERE = 'tests/house/'  # these files spell out what they look for


def files(root):
    for at, below, names in os.walk(root):
        below[:] = sorted(name for name in below if name not in NOT_OURS)
        for name in sorted(names):
            if name not in NOT_OURS and (name.endswith(TEXT) or name in TEXT_NAMES):
                yield os.path.relpath(os.path.join(at, name), root)


def lines_of(root, path):
    with open(os.path.join(root, path), encoding='utf-8') as file:
        return file.read().splitlines()


def too_long(root):
    return [f'{path}: {count} lines, more than {MAX_LINES}' for path in files(root) if path.endswith(('.cpp', '.hpp', '.py'))
            for count in [len(lines_of(root, path))] if count > MAX_LINES]


def leftovers(root):
    found = []
    for path in files(root):
        if path.startswith(HERE):
            continue
        for number, line in enumerate(lines_of(root, path), 1):
            found += [f'{path}:{number}: {what}: {line.strip()}' for pattern, what in LEFTOVERS if pattern.search(line)]
    return found


def readmes(root):
    """Each room that holds code explains itself, briefly."""
    found = []
    for room in sorted(os.listdir(os.path.join(root, 'src'))):
        folder = os.path.join(root, 'src', room)
        if not os.path.isdir(folder) or not any(name.endswith(('.cpp', '.hpp')) for name in os.listdir(folder)):
            continue
        path = f'src/{room}/README.md'
        if not os.path.exists(os.path.join(root, path)):
            found.append(f'{path}: is missing')
        elif len(lines_of(root, path)) > README_MAX_LINES:
            found.append(f'{path}: more than {README_MAX_LINES} lines')
    return found


def not_built(root):
    """A .cpp that no meson.build of its folder or a folder above names is dead code."""
    found = []
    for path in files(root):
        if not path.endswith('.cpp'):
            continue
        at, text = os.path.dirname(path), ''
        while at:
            recipe = os.path.join(at, 'meson.build')
            if os.path.exists(os.path.join(root, recipe)):
                text += '\n'.join(lines_of(root, recipe))
            at = os.path.dirname(at)
        stem = os.path.basename(path)[:-len('.cpp')]
        if path.startswith('tests/fuzz/'):  # its meson.build names targets: x stands for x_fuzz.cpp
            stem = stem.removesuffix('_fuzz')
        if not re.search(r"['/]" + re.escape(stem) + r"(\.cpp)?'", text):
            found.append(f'{path}: no meson.build names it')
    return found


def unguarded_headers(root):
    return [f'{path}: no #pragma once' for path in files(root)
            if path.endswith('.hpp') and not path.endswith('_body.hpp') and '#pragma once' not in lines_of(root, path)]


def dead_references(root):
    """Links of documents to files, and paths they name in backticks, lead to something (build/ is made, not kept)."""
    found = []
    for path in files(root):
        if not path.endswith('.md'):
            continue
        for number, line in enumerate(lines_of(root, path), 1):
            links = [link.split('#')[0] for link in re.findall(r'\]\(([^)\s]+)\)', line) if '://' not in link]
            paths = re.findall(r'`((?:src|tests|tools|docs|include|bench)/[\w./-]*)`', line)
            wanted = [(link, os.path.join(os.path.dirname(path), link)) for link in links if link] + [(name, name) for name in paths]
            found += [f'{path}:{number}: {name}: there is no such file' for name, target in wanted
                      if not os.path.exists(os.path.join(root, target))]
    return found


def dead_test_names(root):
    """Each test that docs/security.md names in backticks (Suite.Case) is written down somewhere under tests/."""
    path = 'docs/security.md'
    if not os.path.exists(os.path.join(root, path)):
        return [f'{path}: is missing']
    written = {match for name in files(root) if name.startswith('tests/') and name.endswith('.cpp')
               for match in re.findall(r'^TEST(?:_[FP])?\((\w+),\s*(\w+)\)', '\n'.join(lines_of(root, name)), re.M)}
    return [f'{path}:{number}: {suite}.{case}: there is no such test' for number, line in enumerate(lines_of(root, path), 1)
            for suite, case in re.findall(r'`([A-Z]\w*)\.([A-Z]\w*)`', line) if (suite, case) not in written]


def bad_skips(root):
    return run_tests.SkipList(os.path.join(root, 'tests', 'skips.txt')).errors
