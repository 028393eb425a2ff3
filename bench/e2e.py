#!/usr/bin/env python3
"""Whole transfers, PeerNet and other tools, alternating in one run: e2e.py [--job 200m|2g|1k|link] [--runs N] [--tools a,b]

The clock runs from exec of the receiving command to its exit; the source is ready before. Every run's result is compared
with the source (SHA-256) outside the clock. Medians, and medians of the ratio of neighbouring runs (A B A B), because the
speed of a small guest drifts. CPU seconds are those of both sides. All traffic is on 127.0.0.1.

Memory: many virtual machines hand free pages back to their host, and the first touch of each then costs up to ten times as
much, which hides every difference. A keeper process (on by default, --keeper GIB) touches memory once and frees it in
pieces too small to be handed back.
"""
import argparse
import ctypes
import hashlib
import json
import mmap
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PORT = 18300


def keep_memory_backed(gib):
    """Touches gib of memory and frees all but one page per MiB; returns the child's pid, which holds the rest."""
    pid = os.fork()
    if pid:
        return pid
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    libc.prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG: never outlives its parent
    size = int(gib * (1 << 30))
    at = libc.mmap(None, size, mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)
    libc.madvise(at, size, 15)  # MADV_NOHUGEPAGE
    for offset in range(0, size, 4096):
        ctypes.memset(at + offset, 1, 1)
    for offset in range(0, size, 1 << 20):
        libc.madvise(at + offset + 4096, (1 << 20) - 4096, 4)  # MADV_DONTNEED
    os.kill(os.getppid(), signal.SIGUSR1)
    while True:
        time.sleep(3600)


def kept_memory(gib):
    """keep_memory_backed(), once it is done."""
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
    keeper = keep_memory_backed(gib)
    signal.sigwait([signal.SIGUSR1])
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
    return keeper


class Run:
    """One transfer: a folder of its own, the source's process, the receiving command."""

    def __init__(self, source, folder, program):
        self.source, self.folder, self.program = source, folder, program
        self.out = os.path.join(folder, 'out')
        self.processes = []

    def spawn(self, argv, **kw):
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **kw)
        self.processes.append(process)
        return process

    def stop(self):
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(condition, what):
    end = time.monotonic() + 20
    while not condition():
        if time.monotonic() > end:
            sys.exit('not ready in time: ' + what)
        time.sleep(0.002)


def listening(port):
    wanted = ':%04X ' % port
    with open('/proc/net/tcp', encoding='ascii') as f:
        return any(wanted in line.split(' 0A ')[0] + ' ' and ' 0A ' in line for line in f)


def peernet(extra_share=(), extra_get=()):
    def prepare(run):
        link = os.path.join(run.folder, 'link')
        run.spawn([run.program, 'share', run.source, '--listen', '127.0.0.1:0', '--link-file', link,
                   '--max-datagram', '1500', '-q', *extra_share])
        wait_for(lambda: os.path.exists(link), 'peernet share')
        return [run.program, 'get', '@' + link, '-o', run.out, '--max-datagram', '1500', '-q', *extra_get]
    return prepare


def socat(run):
    run.spawn(['socat', '-U', '-b262144', 'TCP-LISTEN:%d,reuseaddr,bind=127.0.0.1' % PORT, 'OPEN:' + run.source + ',rdonly'])
    wait_for(lambda: listening(PORT), 'socat')
    return ['socat', '-u', '-b262144', 'TCP:127.0.0.1:%d' % PORT, 'CREATE:' + run.out]


def rsync(run):
    conf = os.path.join(run.folder, 'rsyncd.conf')
    with open(conf, 'w', encoding='ascii') as f:
        f.write('uid=root\ngid=root\nuse chroot=no\nreverse lookup=no\nlog file=%s.log\npid file=%s.pid\n[d]\npath=%s\n'
                'read only=yes\n' % (conf, conf, os.path.dirname(run.source)))
    run.spawn(['rsync', '--daemon', '--no-detach', '--config=' + conf, '--port=%d' % PORT, '--address=127.0.0.1'])
    wait_for(lambda: listening(PORT), 'rsync')
    return ['rsync', 'rsync://127.0.0.1:%d/d/%s' % (PORT, os.path.basename(run.source)), run.out]


def nginx(tls):
    def prepare(run):
        crt = os.path.join(run.folder, 'crt')
        subprocess.run(['openssl', 'req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=x',
                        '-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', crt + '.key', '-out', crt],
                       check=True, stderr=subprocess.DEVNULL)
        conf = os.path.join(run.folder, 'nginx.conf')
        listen = ('listen 127.0.0.1:%d ssl; ssl_certificate %s; ssl_certificate_key %s.key; ssl_protocols TLSv1.3;' % (PORT, crt, crt)
                  if tls else 'listen 127.0.0.1:%d;' % PORT)
        with open(conf, 'w', encoding='ascii') as f:
            f.write('daemon off; user root; worker_processes 1; pid %s/pid; error_log %s/err;\nevents {}\nhttp { access_log off; sendfile on; '
                    'client_body_temp_path %s/b; proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u; scgi_temp_path %s/s;\n'
                    'server { %s root %s; } }\n' % ((run.folder,) * 7 + (listen, os.path.dirname(run.source))))
        run.spawn(['nginx', '-c', conf, '-p', run.folder, '-e', run.folder + '/err'])
        wait_for(lambda: listening(PORT), 'nginx')
        url = '%s://127.0.0.1:%d/%s' % ('https' if tls else 'http', PORT, os.path.basename(run.source))
        return ['curl', '-sS', '-f', *(['--cacert', crt, '--tlsv1.3'] if tls else []), '-o', run.out, url]
    return prepare


def share_link(run):
    link = os.path.join(run.folder, 'link')
    return [sys.executable, '-c', 'import subprocess,sys,os,signal\n'
            'p=subprocess.Popen(sys.argv[1:],stdout=subprocess.PIPE,stderr=subprocess.DEVNULL)\np.stdout.readline()\nos.kill(p.pid,signal.SIGKILL)\np.wait()',
            run.program, 'share', run.source, '--listen', '127.0.0.1:0', '--link-file', link, '-q']


def openssl_digest(run):
    return [sys.executable, '-c', 'import subprocess,sys\nsubprocess.run(sys.argv[1:],stdout=subprocess.DEVNULL)',
            'openssl', 'dgst', '-sha256', run.source]


TOOLS = {
    'peernet': peernet(extra_get=['--sync', 'none']),
    'peernet-synced': peernet(),
    'peernet-epoll': peernet(['--io', 'epoll'], ['--io', 'epoll', '--sync', 'none']),
    'peernet-evp': peernet(['--aead', 'openssl'], ['--aead', 'openssl', '--sync', 'none']),
    'peernet-direct': peernet(extra_get=['--sync', 'none', '--direct', 'on']),
    'peernet-buffered': peernet(extra_get=['--sync', 'none', '--direct', 'off']),
    'peernet-sha256': peernet(extra_get=['--sync', 'none', '--verify', 'sha256']),
    'socat': socat,
    'rsync': rsync,
    'curl-http': nginx(False),
    'curl-https': nginx(True),
    'share-link': share_link,
    'openssl-sha256': openssl_digest,
}
NO_OUTPUT = ('share-link', 'openssl-sha256')
JOBS = {'200m': 200 * 1000 * 1000, '2g': 2 << 30, '1k': 1024}


def digest(path):
    h = hashlib.sha256()
    with open(path, 'rb') as f:
        while block := f.read(1 << 20):
            h.update(block)
    return h.digest()


def cpu_of(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def peak_rss(pid):
    with open('/proc/%d/status' % pid, encoding='ascii') as f:
        high = re.search(r'VmHWM:\s+(\d+)', f.read())  # a source that has just ended has none
        return int(high[1]) / 1024 if high else 0


def measure(options, tool, source, source_digest):
    folder = tempfile.mkdtemp(dir=options.dir)
    name, _, program = tool.partition('@')  # peernet@PROGRAM: another build of it, for before and after
    run = Run(source, folder, program or options.peernet)
    try:
        argv = TOOLS[name](run)
        before = sum(cpu_of(p.pid) for p in run.processes)
        start = time.monotonic()
        sink = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(sink.pid, 0)
        wall = time.monotonic() - start
        sink.returncode = os.waitstatus_to_exitcode(status)
        source_cpu = sum(cpu_of(p.pid) for p in run.processes if p.poll() is None) - before
        source_rss = max([peak_rss(p.pid) for p in run.processes if p.poll() is None], default=0)
        if sink.returncode != 0:
            sys.exit('%s failed with exit code %d: %s' % (tool, sink.returncode, argv))
        if name not in NO_OUTPUT and digest(run.out) != source_digest:
            sys.exit('%s delivered wrong bytes' % tool)
        return {'wall': wall, 'cpu': usage.ru_utime + usage.ru_stime + max(source_cpu, 0), 'rss_sink': usage.ru_maxrss / 1024,
                'rss_source': source_rss}
    finally:
        run.stop()
        shutil.rmtree(folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--job', default='200m', choices=JOBS)
    parser.add_argument('--runs', type=int, default=7)
    parser.add_argument('--tools', default='peernet,socat,rsync', help=', '.join(TOOLS) + '; peernet@PROGRAM for another build')
    parser.add_argument('--dir', default=None, help='where files are written (default: a new folder in /var/tmp)')
    parser.add_argument('--peernet', default=os.path.join(ROOT, 'build/release/peernet'))
    parser.add_argument('--keeper', type=float, default=6, help='GiB of free memory to keep backed, 0: none')
    parser.add_argument('--json')
    options = parser.parse_args()
    options.dir = tempfile.mkdtemp(prefix='peernet-bench-', dir=options.dir or '/var/tmp')
    keeper = 0
    try:
        if options.keeper:
            keeper = kept_memory(options.keeper)
        source = os.path.join(options.dir, 'source.bin')
        with open(source, 'wb') as f:
            left = JOBS[options.job]
            while left:
                left -= f.write(os.urandom(min(left, 1 << 24)))
        source_digest = digest(source)
        tools = options.tools.split(',')
        rows = {tool: [] for tool in tools}
        for i in range(options.runs + 1):
            for tool in tools:
                row = measure(options, tool, source, source_digest)
                if i:  # the first round warms caches
                    rows[tool].append(row)
        size = JOBS[options.job]
        base = tools[0]
        print('%-16s %9s %17s %9s %9s %13s %s' % ('tool', 'median s', 'min..max', 'MB/s', 'CPU s/GB', 'RSS MiB', base + ' / it'))
        for tool in tools:
            walls = [r['wall'] for r in rows[tool]]
            ratio = statistics.median(a['wall'] / b['wall'] for a, b in zip(rows[base], rows[tool]))
            print('%-16s %9.3f %8.3f..%-7.3f %9.0f %9.2f %6.0f %6.0f %.2f' % (
                tool, statistics.median(walls), min(walls), max(walls), size / statistics.median(walls) / 1e6,
                statistics.median(r['cpu'] for r in rows[tool]) / size * 1e9, max(r['rss_source'] for r in rows[tool]),
                max(r['rss_sink'] for r in rows[tool]), ratio))
        if options.json:
            with open(options.json, 'w', encoding='ascii') as f:
                json.dump({'job': options.job, 'rows': rows}, f, indent=1)
    finally:
        if keeper:
            os.kill(keeper, signal.SIGKILL)
            os.waitpid(keeper, 0)
        shutil.rmtree(options.dir)


if __name__ == '__main__':
    main()
