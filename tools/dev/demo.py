#!/usr/bin/env python3
"""./dev demo: shares a real 200 MB file on loopback, gets it, and compares: demo.py PEERNET_PROGRAM."""

import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

SIZE = 200_000_000
READY_S, GET_S, LEAVE_S = 60, 300, 30


def die(text):
    print(f'demo: {text}', file=sys.stderr)
    sys.exit(1)


def scratch_folder():
    """The first place with room for both copies: $TMPDIR or /tmp may be a small tmpfs."""
    for parent in (tempfile.gettempdir(), os.path.realpath('build')):
        if shutil.disk_usage(parent).free > 3 * SIZE:
            return tempfile.mkdtemp(prefix='peernet-demo-', dir=parent)
    die(f'no {3 * SIZE // 1_000_000} MB free in {tempfile.gettempdir()} or build/')


def write_random(path):
    with open(path, 'wb') as file:
        for _ in range(SIZE // 1_000_000):
            file.write(os.urandom(1_000_000))


def sha256(path):
    digest = hashlib.sha256()
    with open(path, 'rb') as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def tail(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return ''.join(file.readlines()[-20:])


def wait_for_link(share, link_file, log):
    """--link-file appears by rename once a getter would be served, so its presence is enough."""
    deadline = time.monotonic() + READY_S
    while not os.path.exists(link_file):
        if share.poll() is not None:
            die(f'share ended with status {share.returncode} before it printed a link:\n{tail(log)}')
        if time.monotonic() > deadline:
            die(f'share was not ready within {READY_S} s:\n{tail(log)}')
        time.sleep(0.01)


def transfer(peernet, folder):
    source, target = os.path.join(folder, 'demo.bin'), os.path.join(folder, 'got.bin')
    link_file, log = os.path.join(folder, 'link'), os.path.join(folder, 'share.log')
    print(f'demo: writing {SIZE // 1_000_000} MB of random bytes', flush=True)
    write_random(source)
    command = [peernet, 'share', source, '--listen', '127.0.0.1:0', '--link-file', link_file, '--once']
    print(f'demo: peernet {" ".join(command[1:])}', flush=True)
    started = time.monotonic()
    with open(log, 'wb') as log_file:
        share = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log_file, stderr=subprocess.STDOUT)
    try:
        wait_for_link(share, link_file, log)
        print(f'demo: the link was ready after {time.monotonic() - started:.2f} s', flush=True)
        command = [peernet, 'get', '@' + link_file, '-o', target]
        print(f'demo: peernet {" ".join(command[1:])}', flush=True)
        started = time.monotonic()
        try:
            got = subprocess.run(command, stdin=subprocess.DEVNULL, timeout=GET_S, check=False)
        except subprocess.TimeoutExpired:
            die(f'get did not end within {GET_S} s; share said:\n{tail(log)}')
        seconds = time.monotonic() - started
        if got.returncode != 0:
            die(f'get ended with status {got.returncode}; share said:\n{tail(log)}')
        try:
            status = share.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            die(f'share --once did not end within {LEAVE_S} s after the file was complete:\n{tail(log)}')
        if status != 0:
            die(f'share ended with status {status}:\n{tail(log)}')
    finally:
        if share.poll() is None:
            share.kill()
            share.wait()
    return source, target, seconds


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    folder = scratch_folder()
    try:
        source, target, seconds = transfer(os.path.realpath(sys.argv[1]), folder)
        sums = [sha256(source), sha256(target)]
        size = os.path.getsize(target)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f'shared    SHA-256 {sums[0]}')
    print(f'received  SHA-256 {sums[1]}')
    if sums[0] != sums[1] or size != SIZE:
        die('the files differ')
    print(f'{size:,} bytes in {seconds:.2f} s, {size / seconds / 1e6:.0f} MB/s, encrypted and verified; both files agree')


if __name__ == '__main__':
    main()
