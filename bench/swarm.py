#!/usr/bin/env python3
"""Round trips, hostile sources, folders and limits: swarm.py [--only SCENARIO,...] [--runs N] [--size 200M]

Whole commands: the clock runs from exec of `peernet get` to its exit; sources are ready before. --max-datagram 1500, --sync none,
files on tmpfs, every result compared with its source outside the clock. Scenarios:

  latency  4 sources of 50 Mbit/s with round trips of 1, 5, 50 and 200 ms: each one's use of its link at an unshaped receiver; the
           nearest one's share of the bytes at a receiver of 50 Mbit/s
  hostile  one honest source among nine that lie, stall or trickle (loopback): time / time with the honest one alone
  files    10,000 files of 4 KiB, beside tar over socat (loopback), alternating
  limits   --limit-up and --limit-down over 10 s, with one peer and with two, on unshaped links

N sources and M receivers: peernet-bench speedup --links 400M, peernet-bench crowd --links 200M.

latency and limits need root (network namespaces: tools/netlab). Rates are of IP packets, so headers count.
"""
import argparse
import filecmp
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from swarm_runs import ROOT, Bench, LocalHost, Table, gather, kept_memory, listening, netlab, timeline, wait_for
from netlab import Link, Shape

MBIT = 1e6
TAR_PORT = 18300
UNITS = {'': 1, 'k': 10**3, 'M': 10**6, 'G': 10**9}


def transfer(bench, table, case, sources, getters, watched=None):
    """The getters run already; waits for them, checks them and tells their costs. Returns samples as gather() does, nothing if
    one has failed."""
    samples = gather(getters, watched)
    cpu = sum(source.cpu() for source in sources)
    if not all([getter.verify() for getter in getters]):
        table.failed(case)
        return None
    table.costs(case, getters, cpu - sum(source.cpu_before for source in sources), bench.size)
    return samples


def transfer_watched(bench, table, case, sources, getter, rate):
    """From sources by name whose uplinks have that rate. False if it has failed."""
    watched = {name: source.process for name, source in sources.items()} if bench.options.timeline else None
    samples = transfer(bench, table, case, list(sources.values()), [getter], watched)
    if samples:
        print(case + ':', *timeline(getter, samples, rate, list(sources)), sep='\n')
    return samples is not None


def ready(sources):
    for source in sources:
        source.cpu_before = source.cpu()
    return sources


def latency(bench, table):
    rate = 50 * MBIT
    round_trips = (0.001, 0.005, 0.05, 0.2)
    names = [f's{rtt * 1000:g}ms' for rtt in round_trips]
    for case, receiver in (('latency unshaped', Link()), ('latency narrow', Link(down=Shape(rate=rate)))):
        # Each uplink's queue holds a round trip's worth, as routers are sized, and no less than those of the other scenarios.
        links = {name: Link(up=Shape(rate=rate, delay=rtt / 2, queue=int(rate / 8 * max(rtt, netlab.QUEUE_SECONDS))),
                            down=Shape(delay=rtt / 2)) for name, rtt in zip(names, round_trips)}
        with bench.lab({'r': receiver, **links}) as lab:
            first = bench.share(lab.hosts[names[0]])
            sources = ready([first] + [bench.share(lab.hosts[name], join=first) for name in names[1:]])
            getter = bench.get(lab.hosts['r'], first.link)
            if not transfer_watched(bench, table, case, dict(zip(names, sources)), getter, rate):
                continue
            given = getter.bytes_by_source()
            for name in names:
                count = given.get(lab.hosts[name].address, 0)
                if receiver == Link():
                    table.figure(case, f'{name[1:]}: use of its link', count * 8 / (rate * getter.wall), 0.85)
                else:
                    goal = 0.60 if name == names[0] else None
                    table.figure(case, f'{name[1:]}: share of the bytes', count / bench.size, goal)


def hostile(bench, table):
    kinds = {'alone': [], 'nine lie': ['lie'] * 9, 'nine stall': ['stall'] * 9, 'nine trickle': ['trickle'] * 9,
             'three of each': ['lie', 'stall', 'trickle'] * 3}
    alone = None
    for kind, modes in kinds.items():
        with LocalHost() as host:
            source = bench.share(host, extra=['--limit-up', '50M'])
            ready([source])
            link = source.link
            if modes:
                child = host.popen([bench.program('tests/net/hostile_source'), link, bench.source, *modes], stdout=subprocess.PIPE, text=True)
                with child.stdout:
                    others = [child.stdout.readline().strip() for _ in modes]
                link = link.replace('p=', ','.join('p=' + other for other in others) + ',p=', 1)
            getter = bench.get(host, link)
            if transfer(bench, table, f'hostile, {kind}', [source], [getter]) is None:
                continue
            alone = alone if modes else getter.wall
            if modes and alone:
                table.figure(f'hostile, {kind}', 'time / honest alone', getter.wall / alone, 1.5, at_most=True)
                banned = {event['peer'] for _, event in getter.of_kind('source') if 'banned' in event['text']}
                table.figure(f'hostile, {kind}', 'banned', len(banned))


def files(bench, table):
    tree = os.path.join(bench.folder, 'tree')
    if not os.path.exists(tree):
        for i in range(10_000):
            folder = os.path.join(tree, f'{i // 100:02}')
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, f'{i:05}'), 'wb') as file:
                file.write(os.urandom(4096))
    with LocalHost() as host:
        source = bench.share(host, tree)
        getter = bench.get(host, source.link)
        gather([getter])
        if getter.failure:
            sys.exit('peernet get failed: ' + getter.failure)
        same_trees(getter.out, tree)
        shutil.rmtree(getter.folder)
    with LocalHost() as host:
        out = os.path.join(bench.new_folder(), 'out')
        os.mkdir(out)
        host.popen(['sh', '-c', f'tar -cf - -C {tree} . | socat -u -b262144 - TCP-LISTEN:{TAR_PORT},reuseaddr,bind=127.0.0.1'])
        wait_for(lambda: listening(TAR_PORT), 'socat')
        start = time.monotonic()
        done = subprocess.run(['sh', '-c', f'socat -u -b262144 TCP:127.0.0.1:{TAR_PORT} - | tar -xf - -C {out}'], check=False)
        wall = time.monotonic() - start
        if done.returncode != 0:
            sys.exit('tar over socat failed')
        same_trees(out, tree)
        shutil.rmtree(out)
    table.figure('files', 'peernet s', getter.wall)
    table.figure('files', 'tar over socat s', wall)
    table.figure('files', 'peernet / tar', getter.wall / wall, 1.2, at_most=True)


def same_trees(one, other):
    names = [os.path.relpath(os.path.join(at, name), other) for at, _, found in os.walk(other) for name in found]
    _, wrong, missing = filecmp.cmpfiles(one, other, names, shallow=False)
    if wrong or missing:
        sys.exit(f'{len(wrong)} files are wrong and {len(missing)} missing')


def limits(bench, table):
    """Content bytes a second over the 10 s from 0.5 s after the start of the data. Receivers do not reach each other: what they
    give each other would not be the source's."""
    rate = bench.size // 12
    for case, up, receivers, senders in (('limit-up', True, 1, 1), ('limit-up, two receivers', True, 2, 1), ('limit-down', False, 1, 1),
                                         ('limit-down, two sources', False, 1, 2)):
        limit = max(rate * receivers, 1)
        names = [f'r{i}' for i in range(receivers)]
        with bench.lab({name: Link() for name in [*names, *(f's{i}' for i in range(senders))]}) as lab:
            hosts = [lab.hosts[name] for name in names]
            for host in hosts:
                for other in hosts:
                    if other is not host:
                        host.popen(['ip', 'route', 'add', 'blackhole', other.address]).wait()
            first = bench.share(lab.hosts['s0'], extra=['--limit-up', str(limit)] if up else [])
            sources = ready([first] + [bench.share(lab.hosts[f's{i}'], join=first) for i in range(1, senders)])
            getters = [bench.get(host, first.link, [] if up else ['--limit-down', str(limit)]) for host in hosts]
            if transfer(bench, table, case, sources, getters) is None:
                continue
            got = sum(rate_over(getter, 10) for getter in getters)
            table.figure(case, 'off the limit by %', 100 * abs(got / limit - 1), 2, at_most=True)


def rate_over(getter, seconds):
    points = [(at, event['bytes_received']) for at, event in getter.of_kind('progress') if event['bytes_received'] > 0]
    begin = next((at, n) for at, n in points if at >= points[0][0] + 0.5)
    last = [(at, n) for at, n in points if at <= begin[0] + seconds][-1]
    return (last[1] - begin[1]) / (last[0] - begin[0])


SCENARIOS = {'latency': latency, 'hostile': hostile, 'files': files, 'limits': limits}
IN_NAMESPACES = ('latency', 'limits')


def size_of(text):
    unit = text.lstrip('0123456789.')
    if unit not in UNITS:
        raise argparse.ArgumentTypeError('a size is a number with k, M or G')
    return int(float(text.removesuffix(unit)) * UNITS[unit])


def parse(argv):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--only', default=','.join(SCENARIOS), help='scenarios, separated by commas')
    parser.add_argument('--runs', type=int, default=5)
    parser.add_argument('--size', type=size_of, default=size_of('200M'))
    parser.add_argument('--timeline', action='store_true', help='latency: also when each one sent (disturbs a little)')
    parser.add_argument('--build', default=os.path.join(ROOT, 'build/release'), help='the build directory')
    parser.add_argument('--peernet', help='the program to measure (default: the one in --build)')
    parser.add_argument('--dir', default='/dev/shm', help='where files are written: a tmpfs')
    parser.add_argument('--keeper', type=float, default=6, help='GiB of free memory to keep backed, 0: none')
    parser.add_argument('--json', help='all values, to this file')
    options = parser.parse_args(argv)
    options.only = options.only.split(',')
    options.peernet = options.peernet or os.path.join(options.build, 'tools/peernet')
    if unknown := set(options.only) - set(SCENARIOS):
        parser.error('there is no scenario ' + ', '.join(sorted(unknown)))
    if set(options.only) & set(IN_NAMESPACES) and (reason := netlab.why_not(emulated='latency' in options.only)):
        parser.error(f'{reason}: only hostile and files can be measured')
    return options


def main():
    options = parse(sys.argv[1:])
    folder, keeper = tempfile.mkdtemp(prefix='peernet-swarm-', dir=options.dir), 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit('ended by SIGTERM'))
    table = Table()
    load = [os.getloadavg()[0]]
    try:
        if options.keeper:
            keeper = kept_memory(options.keeper)
        bench = Bench(options, folder)
        for name in options.only:
            for _ in range(options.runs):
                SCENARIOS[name](bench, table)
        load.append(os.getloadavg()[0])
    finally:
        if keeper:
            os.kill(keeper, signal.SIGKILL)
            os.waitpid(keeper, 0)
        shutil.rmtree(folder, ignore_errors=True)
        if table.cases:
            table.print()
    print(f'load average before and after: {load[0]:.1f}, {load[1]:.1f}; {options.runs} runs of {options.size} bytes')
    if options.json:
        with open(options.json, 'w', encoding='ascii') as file:
            json.dump({'size': options.size, 'runs': options.runs, 'load': load, 'cases': table.values()}, file, indent=1)


if __name__ == '__main__':
    main()
