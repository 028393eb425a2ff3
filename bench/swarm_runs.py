"""What swarm.py is made of: sources, timed receivers whose events are stamped as they come, and timelines."""

import collections
import ctypes
import filecmp
import json
import mmap
import os
import selectors
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, 'tools', 'netlab'))
import netlab  # noqa: E402  (it stands beside the tools, not beside the benchmarks)

PATIENCE = 120  # seconds; then a run has failed
SAMPLE_EVERY = 0.01


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


def cpu_of(pid):
    with open('/proc/%d/stat' % pid, encoding='ascii') as f:
        fields = f.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


class LocalHost(netlab.Host):
    """This machine, without a namespace of its own."""

    def __init__(self):
        super().__init__('local', '127.0.0.1', os.open('/proc/self/ns/net', os.O_RDONLY | os.O_CLOEXEC))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        netlab.stop_all(self.processes)
        os.close(self.namespace)


class Bench:
    """Options, the shared file and a folder on tmpfs for everything that runs write."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        self.size = options.size
        self.source = os.path.join(folder, 'source.bin')
        with open(self.source, 'wb') as file:
            left = self.size
            while left:
                left -= file.write(os.urandom(min(left, 1 << 24)))

    def new_folder(self):
        return tempfile.mkdtemp(dir=self.folder)

    def program(self, name):
        return os.path.join(self.options.build, name)

    def lab(self, links):
        return netlab.Lab(links, self.program('tools/netlab/netlab-links'))

    def share(self, host, path=None, join=None, extra=()):
        return Source(self, host, path or self.source, join, extra)

    def get(self, host, link, extra=()):
        return Getter(self, host, link, extra)


class Source:
    """peernet share; when this returns it serves, and a tracker has listed it."""

    def __init__(self, bench, host, path, join, extra):
        self.host, folder = host, bench.new_folder()
        link, log = os.path.join(folder, 'link'), os.path.join(folder, 'log')
        words = ['share', path, '--listen', host.address + ':0', '--link-file', link, '--max-datagram', '1500', '--state',
                 os.path.join(folder, 'state'), '-q', *(['--join', '@' + join.link_file] if join else []), *extra]
        with open(log, 'wb') as err:
            self.process = host.popen([bench.options.peernet, *words], stdout=subprocess.DEVNULL, stderr=err)
        wait_for(lambda: os.path.exists(link) or self.process.poll() is not None, 'peernet share')
        if self.process.poll() is not None:
            sys.exit('peernet share ended: ' + read(log))
        self.link_file = link
        self.link = read(link).strip()

    def cpu(self):
        return cpu_of(self.process.pid)


class Getter:
    """peernet get. The clock runs from the exec of the command to its exit."""

    def __init__(self, bench, host, link, extra):
        self.bench, self.host, self.folder = bench, host, bench.new_folder()
        self.out, self.log = os.path.join(self.folder, 'out'), os.path.join(self.folder, 'log')
        link_file = os.path.join(self.folder, 'link')
        with open(link_file, 'w', encoding='ascii') as file:
            file.write(link)
        self.events, self.rest = [], b''
        argv = [bench.options.peernet, 'get', '@' + link_file, '-o', self.out, '--listen', host.address + ':0', '--max-datagram', '1500',
                '--sync', 'none', '--state', os.path.join(self.folder, 'state'), '--progress', 'json', *extra]
        with open(self.log, 'wb') as err:
            self.start = time.monotonic()
            self.process = host.popen(argv, bound=False, stdout=subprocess.PIPE, stderr=err)
        self.end, self.cpu, self.failure = None, 0.0, None

    def read(self):
        """False at the end of its output."""
        data = os.read(self.process.stdout.fileno(), 1 << 16)
        now = time.monotonic() - self.start
        *lines, self.rest = (self.rest + data).split(b'\n')
        self.events += [(now, json.loads(line)) for line in lines]
        return bool(data)

    def wait(self):
        _, status, usage = os.wait4(self.process.pid, 0)
        self.end = time.monotonic()
        self.process.returncode = os.waitstatus_to_exitcode(status)
        self.process.stdout.close()
        self.cpu = usage.ru_utime + usage.ru_stime
        if self.process.returncode != 0 and self.failure is None:
            self.failure = f'exit code {self.process.returncode}: {read(self.log).strip()}'

    def give_up(self):
        self.failure = f'no end within {PATIENCE} s'
        self.process.kill()
        self.wait()

    @property
    def wall(self):
        return self.end - self.start

    def of_kind(self, kind):
        return [(at, event) for at, event in self.events if event['event'] == kind]

    def duplicate_share(self):
        progress = self.of_kind('progress')
        return progress[-1][1]['bytes_duplicate'] / max(self.bench.size, 1) if progress else 0.0

    def bytes_by_source(self):
        """Content bytes from each host address; the events of one source count what came since it joined."""
        total, since = collections.Counter(), collections.Counter()
        for _, event in self.of_kind('source'):
            peer = event['peer']
            if event['text'].startswith('joined'):
                total[peer] += since[peer]
            since[peer] = event['bytes']
        return {peer.rsplit(':', 1)[0]: total[peer] + since[peer] for peer in since}

    def verify(self):
        """Outside the clock; what was received is removed. False, and a word on standard error, if it failed."""
        if self.failure is None and not filecmp.cmp(self.out, self.bench.source, shallow=False):
            sys.exit('peernet get delivered wrong bytes')
        shutil.rmtree(self.folder)
        if self.failure:
            print('peernet get failed:', self.failure, file=sys.stderr)
        return self.failure is None


def gather(getters, watched=None):
    """Waits for all, PATIENCE at most; watched: {name: process} whose links' counters are sampled. Returns [(time, {name: (in, out)})]."""
    selector, samples, running = selectors.DefaultSelector(), [], set(getters)
    for getter in getters:
        selector.register(getter.process.stdout, selectors.EVENT_READ, getter)
    deadline = time.monotonic() + PATIENCE
    while running:
        for key, _ in selector.select(SAMPLE_EVERY if watched else 1):
            if not key.data.read():  # the end of its output: it is about to exit
                selector.unregister(key.fileobj)
                key.data.wait()
                running.discard(key.data)
        if watched:
            samples.append((time.monotonic(), {name: counters(process.pid) for name, process in watched.items() if process.poll() is None}))
        if time.monotonic() > deadline:
            for getter in running:
                getter.give_up()
            break
    selector.close()
    return samples


def counters(pid):
    """Bytes in and out of eth0 in the namespace of a process."""
    try:
        with open(f'/proc/{pid}/net/dev', encoding='ascii') as file:
            fields = next((line.split(':', 1)[1].split() for line in file if line.strip().startswith('eth0:')), None)
    except OSError:
        fields = None
    return (int(fields[0]), int(fields[8])) if fields else (0, 0)


def read(path):
    with open(path, encoding='utf-8', errors='replace') as file:
        return file.read()


class Figure:
    """Values of a case over the runs, with its goal."""

    def __init__(self, goal=None, at_most=False):
        self.goal, self.at_most, self.values = goal, at_most, []

    def add(self, value):
        self.values.append(value)

    def median(self):
        return statistics.median(self.values)

    def reached(self):
        if self.goal is None:
            return ''
        return 'yes' if (self.median() <= self.goal if self.at_most else self.median() >= self.goal) else 'NO'

    def row(self):
        goal = '' if self.goal is None else f'{"<=" if self.at_most else ">="} {self.goal:g}'
        return f'{self.median():8.3f} {min(self.values):8.3f}..{max(self.values):<8.3f} {goal:>8} {self.reached():4}'


class Table:
    """Cases by name, each with its figures, in the order in which they came."""

    def __init__(self):
        self.cases = {}

    def figure(self, case, what, value, goal=None, at_most=False):
        self.cases.setdefault(case, {}).setdefault(what, Figure(goal, at_most)).add(value)

    def costs(self, case, getters, sources_cpu, size):
        """What is told of every transfer: time of the last, CPU of both sides, duplicates."""
        self.figure(case, 'wall s', max(getter.wall for getter in getters))
        moved = size * len(getters) / 1e9
        self.figure(case, 'CPU s/GB, receivers', sum(getter.cpu for getter in getters) / moved)
        self.figure(case, 'CPU s/GB, sources', sources_cpu / moved)
        self.figure(case, 'duplicates %', 100 * max(getter.duplicate_share() for getter in getters), 1, at_most=True)

    def failed(self, case):
        self.figure(case, 'failed runs', 1, 0, at_most=True)

    def print(self):
        print(f'{"case":30} {"figure":26} {"median":>8} {"min..max":>18} {"goal":>8}')
        for case, figures in self.cases.items():
            for what, figure in figures.items():
                print(f'{case:30} {what:26} {figure.row()}')

    def values(self):
        return {case: {what: figure.values for what, figure in figures.items()} for case, figures in self.cases.items()}


def timeline(getter, samples, rate, names):
    """Lines that tell where the time of a transfer over shaped uplinks (bit/s) went, source by source."""
    first = {kind: at for at, kind in reversed([(at, event['event']) for at, event in getter.events])}
    lines = [f'  wall {getter.wall:.3f} s; first events: ' + ', '.join(f'{kind} {at * 1000:.0f} ms' for kind, at in sorted(first.items(), key=lambda x: x[1]))]
    points = [(at - getter.start, values) for at, values in samples if at >= getter.start]
    for name in names:
        track = [(at, values[name][1]) for at, values in points if name in values]
        sent = track[-1][1] - track[0][1]
        begin = next(at for at, n in track if n - track[0][1] > 20_000)
        last = next(at for at, n in track if n - track[0][1] > sent - 20_000)
        steady = [(at, n) for at, n in track if begin + 0.15 * (last - begin) <= at <= begin + 0.85 * (last - begin)]
        middle = (steady[-1][1] - steady[0][1]) * 8 / (steady[-1][0] - steady[0][0]) / rate if len(steady) > 1 else 0
        whole = getter.wall * rate / 8
        before, after = begin * rate / 8, (getter.wall - last) * rate / 8
        lines.append(f'  {name}: sends from {begin * 1000:.0f} to {last * 1000:.0f} ms; of its link {100 * sent / whole:.1f} % used, {100 * before / whole:.1f} % lost '
                     f'before, {100 * after / whole:.1f} % after, {100 * (whole - sent - before - after) / whole:.1f} % between; middle at {100 * middle:.1f} %')
        step = max(getter.wall / 20, 0.05)
        curve = [next((n for at, n in track if at >= i * step), track[-1][1]) for i in range(int(getter.wall / step) + 1)]
        lines.append(f'    % of its link in each {step * 1000:.0f} ms: ' + ' '.join(f'{800 * (b - a) / (rate * step):.0f}' for a, b in zip(curve, curve[1:])))
    return lines
