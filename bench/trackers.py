#!/usr/bin/env python3
"""UDP trackers side by side: ours, Debian's opentracker and one that stores nothing, alternating in one run.

Each run starts a fresh tracker on one core (--tracker-cpu) and `peernet-bench tracker-load` on another (--load-cpu). The figure to
compare is the tracker's CPU time per reply (the scheduler's count): replies/s of a tracker that was busy for less than 95 %
of the time were cut by something else. Prints a table in Markdown: medians, and medians of the ratio of neighbouring runs.

Root runs it all in a network namespace of its own: nobody else's ports and packets, and sources in many subnets, where ours
has to see to it that no neighbourhood fills a reply (it exempts loopback).

opentracker is taken if it is installed, or unpacked by ./dev, and may change its root folder (root only): Debian's build
serves only listed hashes.
"""
import argparse
import json
import os
import random
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
OURS, THEIRS, NULL = 'peernet-tracker', 'opentracker', 'nothing stored'
MIB = 1 << 20
SUBNETS_HOST = '10.0.0.1'

BASE = '--swarms 10000 --peers 100000 --populate --window 128'
MILLION = '--peers 1000000 --sources 32 --populate --window 128'
NODES = '--nodes 31250 --contents-per-node 32 --swarms 10000 --window 128'
# name -> (who, swarms to list, arguments of the load, figures of the table)
SCENARIOS = {
    'base_10k_swarms_100k_peers': ((OURS, THEIRS, NULL), 10000, BASE + ' --duration 5 --mix 0:100:0 --verify', ('cpu_us', 'replies_per_s', 'busy')),
    'mix_50_50_1': ((OURS, THEIRS), 10000, BASE + ' --duration 5 --mix 50:50:1 --verify', ('cpu_us', 'replies_per_s', 'busy')),
    'one_swarm_1m_peers': ((OURS, THEIRS), 1, MILLION + ' --swarms 1 --check-every 4 --duration 5 --mix 0:100:1 --verify',
                           ('cpu_us', 'replies_per_s', 'busy', 'bytes_per_peer')),
    'zipf_10k_swarms_1m_peers': ((OURS, THEIRS), 10000, MILLION + ' --swarms 10000 --duration 5 --mix 0:100:1 --verify',
                                 ('cpu_us', 'replies_per_s', 'busy', 'bytes_per_peer')),
    'subnets_10k_swarms_1m_peers': ((OURS, THEIRS), 10000, MILLION + ' --swarms 10000 --src-base 10.1.0.1 --src-step 256 --duration 5 --mix 0:100:1 --verify',
                                    ('cpu_us', 'replies_per_s', 'busy')),
    'rate_20k': ((OURS, THEIRS), 10000, BASE + ' --duration 5 --mix 0:100:1 --rate 20000 --batch 1', ('p50_us', 'p99_us', 'max_us', 'cpu_us')),
    'node_announces': ((OURS,), 0, NODES + ' --mode announce --duration 5 --verify', ('cpu_us', 'replies_per_s', 'bytes_per_peer')),
    'heartbeats': ((OURS,), 0, NODES + ' --mode heartbeat --duration 5 --verify', ('cpu_us', 'cpu_us_per_content', 'replies_per_s')),
    'hostile': ((OURS, THEIRS), 74, '--hostile --swarms 74 --peers 74 --sources 4', ('failed_categories', 'worst_amplification')),
    # special: see their functions
    'start': ((OURS, THEIRS), 10000, '', ('start_ms', 'rss_mib')),
    'snapshot_1m_peers': ((OURS,), 0, MILLION + ' --swarms 10000 --duration 8 --mix 0:100:1 --rate 20000 --batch 1',
                          ('max_us', 'max_us_without', 'p99_us', 'snapshots', 'restart_ms')),
}
FIGURES = {
    'cpu_us': 'CPU us a reply', 'replies_per_s': 'replies/s', 'busy': 'share of its core', 'bytes_per_peer': 'bytes a peer', 'p50_us': 'latency p50 us',
    'p99_us': 'latency p99 us', 'max_us': 'latency, longest us', 'cpu_us_per_content': 'CPU us a content', 'failed_categories': 'categories failed',
    'worst_amplification': 'amplification, worst', 'start_ms': 'start to serving ms', 'rss_mib': 'memory, empty, MiB',
    'max_us_without': 'longest us without snapshots', 'snapshots': 'snapshots meanwhile', 'restart_ms': 'start with the snapshot ms',
}


class Tracker:
    """A running tracker: process, address, milliseconds from its start to its first reply."""

    def __init__(self, name, options, folder, swarms=0, host='127.0.0.1', extra=()):
        self.name, self.address = name, (host, options.port)
        self.command = [*command_of(name, options, folder, swarms, host), *extra]
        self.log = open(os.path.join(folder, 'log'), 'ab')
        start = time.monotonic()
        self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
                                        preexec_fn=lambda: os.sched_setaffinity(0, {options.tracker_cpu}))
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > start + 60:
                self.stop()
                with open(self.log.name, encoding='utf-8', errors='replace') as log:
                    sys.exit('%s does not serve: %s\n%s' % (name, ' '.join(self.command), log.read()[-2000:]))
        self.start_ms = (time.monotonic() - start) * 1e3
        self.rss = self.memory()

    def answers(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.05)
            transaction = random.getrandbits(32)
            try:
                probe.connect(self.address)
                probe.send(struct.pack('>QII', 0x41727101980, 0, transaction))
                return probe.recv(64)[:8] == struct.pack('>II', 0, transaction)
            except OSError:
                time.sleep(0.0002)
                return False

    def memory(self):
        with open('/proc/%d/status' % self.process.pid, encoding='ascii') as status:
            return next((int(line.split()[1]) * 1024 for line in status if line.startswith('VmRSS')), 0)

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()


def command_of(name, options, folder, swarms, host):
    if name == OURS:
        return [options.tracker, '--listen', '%s:%d' % (host, options.port), '--workers', '1']
    if name == NULL:
        return [options.load, 'tracker-load', '--null', str(options.port)]
    # The list is read after the change of root: its name counts from there. Any other name is silently an empty list.
    listed = subprocess.run([options.load, 'tracker-load', '--print-hashes', '--swarms', str(swarms)], capture_output=True, check=True).stdout
    with open(os.path.join(folder, 'listed'), 'wb') as file:
        file.write(listed)
    config = os.path.join(folder, 'opentracker.conf')
    with open(config, 'w', encoding='ascii') as file:
        file.write('listen.udp %s:%d\ntracker.rootdir %s\naccess.whitelist /listed\n' % (host, options.port, folder))
    return [options.opentracker, '-f', config]


def run_load(options, tracker, arguments):
    """The load's own report."""
    command = ['taskset', '-c', str(options.load_cpu), options.load, 'tracker-load', '--target', '%s:%d' % tracker.address, '--json',
               '--pid', str(tracker.process.pid), *arguments.split()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        sys.exit('%s failed: %s' % (' '.join(command), done.stderr))
    if tracker.process.poll() is not None:
        sys.exit('%s died of %s' % (tracker.name, arguments))
    expected_to_fail = tracker.name == NULL or report['mode'] == 'hostile'
    if done.returncode != 0 and not expected_to_fail:
        wrong = {name: {key: phase[key] for key in ('invalid', 'first_invalid', 'first_error')} for name, phase in report['phases'].items()}
        sys.exit('%s gave wrong answers in "%s": %s %s' % (tracker.name, arguments, wrong, report.get('verified')))
    return report


def figures_of(report, tracker):
    if report['mode'] == 'hostile':
        return {'failed_categories': sum(not category['pass'] for category in report['categories']), 'worst_amplification': report['worst_amplification']}
    run = report['phases']['run']
    latency, used = run['latency_us'], run['tracker']
    return {'replies_per_s': run['replies_per_s'], 'cpu_us': used['cpu_us_per_reply'], 'cpu_us_per_content': used['cpu_us_per_content'],
            'busy': used['busy'], 'p50_us': latency['p50'], 'p99_us': latency['p99'], 'max_us': latency['max'],
            'lost': run['counts']['lost'], 'bytes_per_peer': (used['rss_kib'] * 1024 - tracker.rss) / report.get('entries', report.get('peers'))}


def measure_start(options, name, folder, swarms):
    tracker = Tracker(name, options, folder, swarms)
    tracker.stop()
    return {'start_ms': tracker.start_ms, 'rss_mib': tracker.rss / MIB}


def measure_snapshot(options, name, folder, arguments):
    """The longest reply while a million peers are written to disk every second, and the same without a state folder."""
    state = os.path.join(folder, 'state')
    without = Tracker(name, options, folder)
    try:
        plain = figures_of(run_load(options, without, arguments), without)
    finally:
        without.stop()
    tracker = Tracker(name, options, folder, extra=['--state', state, '--snapshot', '1'])
    written, watcher = count_snapshots(state)
    try:
        figures = figures_of(run_load(options, tracker, arguments), tracker)
    finally:
        tracker.stop()
        watcher()
    again = Tracker(name, options, folder, extra=['--state', state])
    again.stop()
    return {**figures, 'max_us_without': plain['max_us'], 'snapshots': written[0], 'restart_ms': again.start_ms}


def count_snapshots(state):
    """Counts, on the side, how often the snapshot is replaced; the second value ends that."""
    written, over = [0], threading.Event()

    def watch():
        known = None
        while not over.wait(0.2):
            try:
                stamp = os.stat(os.path.join(state, 'snapshot')).st_mtime_ns
            except OSError:
                continue
            written[0] += stamp != known
            known = stamp

    thread = threading.Thread(target=watch)
    thread.start()
    return written, lambda: (over.set(), thread.join())


def measure(options, scenario, name):
    _, swarms, arguments, _ = SCENARIOS[scenario]
    folder = tempfile.mkdtemp(prefix='peernet-trackers-', dir=options.dir)
    os.chmod(folder, 0o755)  # opentracker reads its list as nobody
    try:
        if scenario == 'start':
            return measure_start(options, name, folder, swarms)
        if scenario == 'snapshot_1m_peers':
            return measure_snapshot(options, name, folder, arguments)
        tracker = Tracker(name, options, folder, swarms, SUBNETS_HOST if '--src-base' in arguments else '127.0.0.1')
        try:
            return figures_of(run_load(options, tracker, arguments), tracker)
        finally:
            tracker.stop()
    finally:
        shutil.rmtree(folder)


def first_line(command):
    try:
        return (subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines() or [''])[0]
    except (OSError, subprocess.CalledProcessError):
        return 'unknown'


def describe_machine(options, trackers):
    with open('/proc/cpuinfo', encoding='ascii') as file:
        model = next((line.split(':')[1].strip() for line in file if line.startswith('model name')), 'unknown processor')
    versions = [first_line([options.tracker, '--version'])]
    if THEIRS in trackers:
        versions.append('opentracker ' + first_line(['dpkg-query', '-W', '-f=${Version}', 'opentracker']))
    return '%s, %d cores, kernel %s; %s; load average before: %.2f; %d runs' % (
        model, os.cpu_count(), os.uname().release, ', '.join(versions), os.getloadavg()[0], options.runs)


def number(value):
    return '%.0f' % value if abs(value) >= 1000 else '%.3g' % value


def spread(values):
    middle = number(statistics.median(values))
    return middle if min(values) == max(values) else '%s (%s..%s)' % (middle, number(min(values)), number(max(values)))


def table(rows):
    print('| scenario | figure | %s | %s | ratio |\n|---|---|---|---|---|' % (OURS, THEIRS))
    for scenario, by_tracker in rows.items():
        for figure in SCENARIOS[scenario][3]:
            ours, theirs = ([row[figure] for row in by_tracker.get(name, [])] for name in (OURS, THEIRS))
            ratios = [a / b for a, b in zip(ours, theirs) if b]
            print('| %s | %s | %s | %s | %s |' % (scenario, FIGURES[figure], spread(ours) if ours else '', spread(theirs) if theirs else '',
                                                  spread(ratios) if ratios else ''))
        if NULL in by_tracker:
            print('| %s, nothing stored: the ceiling | %s | %s | | |' % (scenario, FIGURES['cpu_us'], spread([row['cpu_us'] for row in by_tracker[NULL]])))


def beats_against_announces(rows):
    """What a heartbeat of one content costs beside an announce of one."""
    def cost(scenario, figure):
        return statistics.median(row[figure] for row in rows[scenario][OURS]) if OURS in rows.get(scenario, {}) else None
    beat = cost('heartbeats', 'cpu_us_per_content')
    for what, scenario in (('node announce', 'node_announces'), ('legacy announce', 'base_10k_swarms_100k_peers'),
                           ('legacy announce among as many peers', 'zipf_10k_swarms_1m_peers')):
        announce = cost(scenario, 'cpu_us')
        if beat and announce:
            print('1,000,000 heartbeats cost %.2f CPU s, 1,000,000 %ss %.2f: 1/%.1f' % (beat, what, announce, announce / beat))


def enter_namespace():
    """Starts again in a namespace of its own, where all of 10.0.0.0/8 is this host."""
    if os.environ.get('PEERNET_BENCH_NAMESPACE') is None:
        os.environ['PEERNET_BENCH_NAMESPACE'] = 'yes'
        os.execvp('unshare', ['unshare', '--net', sys.executable, *sys.argv])
    subprocess.run(['ip', 'link', 'set', 'lo', 'up'], check=True)
    subprocess.run(['ip', 'route', 'add', 'local', '10.0.0.0/8', 'dev', 'lo'], check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], epilog='scenarios: ' + ', '.join(SCENARIOS))
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--only', default='', help='scenarios, separated by commas')
    parser.add_argument('--trackers', default='', help='of "%s", "%s", "%s": only these' % (OURS, THEIRS, NULL))
    parser.add_argument('--json', help='write all figures there')
    parser.add_argument('--tracker', default=os.path.join(ROOT, 'build/release/peernet-tracker'))
    parser.add_argument('--opentracker', default=shutil.which('opentracker') or os.path.join(ROOT, 'build/opentracker/usr/bin/opentracker'))
    parser.add_argument('--load', default=os.path.join(ROOT, 'build/release/peernet-bench'))
    parser.add_argument('--tracker-cpu', type=int, default=0)
    parser.add_argument('--load-cpu', type=int, default=1)
    parser.add_argument('--port', type=int, default=16969)
    parser.add_argument('--dir', default='/var/tmp', help='where whitelists and snapshots go')
    options = parser.parse_args()
    unknown = [name for name in options.only.split(',') if name and name not in SCENARIOS]
    if unknown:
        parser.error('no such scenario: %s (there are %s)' % (', '.join(unknown), ', '.join(SCENARIOS)))
    trackers = [name for name in (OURS, THEIRS, NULL) if not options.trackers or name in options.trackers.split(',')]
    if THEIRS in trackers and (not os.path.exists(options.opentracker) or os.geteuid() != 0):
        print('no opentracker here, or not root: ours alone', file=sys.stderr)
        trackers.remove(THEIRS)
    if os.geteuid() == 0:
        enter_namespace()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no tracker is left behind
    machine = describe_machine(options, trackers)
    rows = {}
    for scenario in options.only.split(',') if options.only else SCENARIOS:
        if '--src-base' in SCENARIOS[scenario][2] and os.geteuid() != 0:
            continue
        rows[scenario] = {name: [] for name in SCENARIOS[scenario][0] if name in trackers}
        for run in range(options.runs):
            for name in rows[scenario]:
                figures = measure(options, scenario, name)
                rows[scenario][name].append(figures)
                print('%s %d/%d %s: %s' % (scenario, run + 1, options.runs, name, {key: round(value, 2) for key, value in figures.items()}), file=sys.stderr)
    print(machine + '\n')
    table(rows)
    beats_against_announces(rows)
    if options.json:
        with open(options.json, 'w', encoding='ascii') as file:
            json.dump({'machine': machine, 'rows': rows}, file, indent=1)


if __name__ == '__main__':
    main()
