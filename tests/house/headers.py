"""Every header compiles alone. A header that its own .cpp includes before anything else is proven by the build; of the others
a result is kept until the header, or a project header below it, changes."""

import concurrent.futures
import hashlib
import json
import os
import subprocess

import layering

COMPILER = ['g++-12', '-std=c++23', '-fsyntax-only', '-Wall', '-Wextra', '-Isrc', '-Iinclude', '-x', 'c++', '-']


def headers(root):
    # *_body.hpp are the bodies of several .cpp files that differ in a macro; they stand in no header's place.
    return [path for path in layering.sources(root, 'src', 'include')
            if path.endswith('.hpp') and not path.endswith('_body.hpp')]


def proven_by_build(root, path):
    own = path.removesuffix('.hpp') + '.cpp'
    if not os.path.exists(os.path.join(root, own)):
        return False
    first = next(layering.includes(root, own), None)
    return first is not None and first[1] == included_as(path)


def included_as(path):
    return path.split('/', 1)[1]


def fingerprint(root, path):
    """Over the header and all project headers it reaches."""
    seen, waiting, digest = set(), [path], hashlib.sha256(' '.join(COMPILER).encode())
    while waiting:
        at = waiting.pop()
        if at in seen:
            continue
        seen.add(at)
        with open(os.path.join(root, at), 'rb') as file:
            digest.update(at.encode() + b'\0' + file.read())
        for _, header, _ in layering.includes(root, at):
            waiting += [name for name in (f'src/{header}', f'include/{header}') if os.path.exists(os.path.join(root, name))]
    return digest.hexdigest()


def compile_alone(root, path):
    done = subprocess.run(COMPILER, input=f'#include "{included_as(path)}"\n', cwd=root, capture_output=True, text=True, check=False)
    return '' if done.returncode == 0 else f'{path}:\n{done.stderr}'


def violations(root, cache_path=None):
    good = set()
    if cache_path and os.path.exists(cache_path):
        with open(cache_path, encoding='utf-8') as file:
            good = set(json.load(file))
    prints = {path: fingerprint(root, path) for path in headers(root) if not proven_by_build(root, path)}
    open_ones = [path for path, mark in prints.items() if mark not in good]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        said = dict(zip(open_ones, pool.map(lambda path: compile_alone(root, path), open_ones)))
    if cache_path:
        with open(cache_path + '.new', 'w', encoding='utf-8') as file:
            json.dump([mark for path, mark in prints.items() if not said.get(path)], file)
        os.replace(cache_path + '.new', cache_path)
    return [text for text in said.values() if text]
