"""Results of every mode, with figures as bench/README.md has them: what the pages of the tests are made of."""

import random
import statistics


def summary(values):
    return {'median': statistics.median(values), 'min': min(values), 'max': max(values), 'count': len(values)}


def around(rng, value, spread=0.1, count=5):
    return [value * (1 + spread * (rng.random() - 0.4)) for _ in range(count)]


def timeline(rng, names, seconds, total, weights=None, slow_start=0.1):
    """Cumulative bytes: each source rises to its share within `slow_start` of the time, with some noise."""
    weights = weights or [1] * len(names)
    steps, points, sent = 60, [], [0.0] * len(names)
    for step in range(1, steps + 1):
        for source, weight in enumerate(weights):
            sent[source] += weight * min(1, step / steps / slow_start * 0.8) * (0.85 + 0.3 * rng.random())
        points.append([step / steps * seconds, list(sent)])
    whole = sum(sent)
    return {'names': names, 'points': [[round(at, 4), [int(part / whole * total) for part in parts]] for at, parts in points]}


def row(rng, ident, label, group, seconds, cpu, memory, parties=1, size=200_000_000, spread=0.1):
    """cpu: s/GB of source and receiver; memory: MB of each; None where it is not known."""
    runs = []
    for wall in around(rng, seconds, spread):
        run = {'wall_seconds': wall, 'bytes': size}
        for side, per_gb, mb in zip(('source', 'receiver'), cpu or (None, None), memory or (None, None)):
            if per_gb is not None:
                run[f'{side}_cpu_seconds'] = per_gb * size / 1e9 * (0.95 + 0.1 * rng.random())
            if mb is not None:
                run[f'{side}_memory_bytes'] = int(mb * 1e6 * (0.98 + 0.04 * rng.random()))
        runs.append(run)
    return {'id': ident, 'label': label, 'group': group, 'parties': parties, 'runs': runs}


def costs(rows):
    figures = []
    for each in rows:
        def add(ident, label, unit, values, each=each):
            if values:
                figures.append({'id': f'{each["id"]}.{ident}', 'label': f'{each["label"]}: {label}', 'unit': unit, 'better': 'less', **summary(values)})
        add('wall_seconds', 'time', 's', [run['wall_seconds'] for run in each['runs']])
        for side in ('source', 'receiver'):
            add(f'{side}_cpu', f'CPU of the {side}s', 's/GB',
                [run[f'{side}_cpu_seconds'] / run['bytes'] * 1e9 for run in each['runs'] if f'{side}_cpu_seconds' in run])
            add(f'{side}_memory', f'peak memory of a {side}', 'B', [run[f'{side}_memory_bytes'] for run in each['runs'] if f'{side}_memory_bytes' in run])
    return figures


def result(mode, title, rows, figures=(), notes=(), noisy=False, **settings):
    return {
        'format': 'peernet-bench', 'version': 1, 'mode': mode, 'title': title, 'started': '2026-11-22T22:40:00Z',
        'command': ['peernet-bench', mode, '--size', '200M', '--html', 'result of today.html'],
        'machine': {'cpu': 'AMD EPYC 9R14', 'architecture': 'x86_64', 'cores': 2, 'memory_bytes': 25769803776, 'kernel': '6.18.5',
                    'os': 'Debian GNU/Linux 12 (bookworm)', 'virtualization': 'kvm'},
        'versions': {'peernet': '0.1.0', 'nginx': '1.22.1', 'curl': '7.88.1'},
        'noise': {'load_before': 0.42, 'others_cores': 0.81 if noisy else 0.02, 'steal_cores': 0.0, 'noisy': noisy},
        'settings': {'size_bytes': 200_000_000, 'runs': 5, 'links': 'loopback', 'sync': 'none', 'max_datagram': 1500, **settings},
        'rows': rows, 'figures': [*figures, *costs(rows)], 'notes': list(notes)}


def speedup(shaped):
    rng, rows = random.Random(1), []
    shares = [0.939, 0.935, 0.929, 0.920, 0.909] if shaped else [1.0, 0.55, 0.36, 0.26, 0.205]
    for count, share in enumerate(shares, 1):
        seconds = 200e6 / (count * 25e6 * share) if shaped else 0.160 / (count * share)
        each = row(rng, f'sources-{count}', f'{count} to 1', 'peernet', seconds, (0.52 + 0.03 * count, 0.49 + 0.04 * count), (16 + count, 33 + 3 * count),
                   count, spread=0.02 if shaped else 0.25)
        each['timeline'] = timeline(rng, [f'source {i}' for i in range(1, count + 1)], seconds, 200_000_000)
        rows.append(each)
    single = [run['wall_seconds'] for run in rows[0]['runs']]
    figures = [{'id': f'{each["id"]}.speedup', 'label': f'{each["label"]}: speedup', 'unit': 'x', 'better': 'more',
                **summary([a / run['wall_seconds'] for a, run in zip(single, each['runs'])])} for each in rows]
    where = 'each source with an uplink of 200 Mbit/s' if shaped else 'loopback'
    return result('speedup', f'1 to 5 sources to one receiver, 200 MB, {where}', rows, figures, noisy=not shaped,
                  links='200mbit,1ms' if shaped else 'loopback')


def crowd():
    rng, rows = random.Random(2), []
    for count, factor in [(1, 1.0), (2, 1.02), (4, 1.11), (8, 1.17)]:
        each = row(rng, f'receivers-{count}', f'1 to {count}', 'peernet', 8.5 * factor, (0.6, 0.9), (22, 41), count, spread=0.04)
        each['timeline'] = timeline(rng, ['source', *[f'receiver {i}' for i in range(2, count + 1)]], 8.5 * factor, 200_000_000)
        rows.append(each)
    for count, seconds in [(1, 7.9), (2, 16.9), (4, 33.8), (8, 67.6)]:  # HTTP is quicker for one: the curves cross
        rows.append(row(rng, f'http-{count}', f'HTTP, 1 to {count}', 'http', seconds, (0.35, 0.7), (9, 12), count, spread=0.02))
    return result('crowd', '200 MB from one source to 1 to 8 receivers', rows, notes=['nginx 1.22.1 serves the same file over links of the same rate.'])


def engines():
    rng = random.Random(3)
    rows = [row(rng, ident, label, 'peernet', seconds, cpu, (18, 37)) for ident, label, seconds, cpu in [
        ('default', 'default', 0.139, (0.47, 0.51)), ('epoll', 'epoll, not io_uring', 0.160, (0.53, 0.58)),
        ('no-offload', 'without GSO and GRO', 0.611, (2.1, 2.6)), ('shards-1', '1 shard, not 2', 0.136, (0.45, 0.49)),
        ('openssl', 'OpenSSL, not ipsec-mb', 0.217, (0.78, 0.84)), ('buffered', 'buffered writes', 0.141, (0.5, 0.62)),
        ('sha256', 'SHA-256 checked, too', 0.160, (0.48, 0.73)), ('synced', 'synced to disk', 0.149, (0.47, 0.52))]]
    default = [run['wall_seconds'] for run in rows[0]['runs']]
    figures = [{'id': f'{each["id"]}.ratio', 'label': f'{each["label"]}: time / default', 'unit': 'x', 'better': '',
                **summary([run['wall_seconds'] / base for run, base in zip(each['runs'], default)])} for each in rows[1:]]
    return result('engines', '200 MB with one technique changed at a time, loopback, ext4', rows, figures)


def rivals():
    rng = random.Random(4)
    rows = [row(rng, ident, label, 'peernet' if ident == 'peernet' else 'rival', seconds, cpu, memory) for ident, label, seconds, cpu, memory in [
        ('peernet', 'peernet', 0.160, (0.45, 0.51), (19, 38)), ('cp', 'cp', 0.071, (None, 0.36), (None, 3)), ('socat', 'socat, plain TCP', 0.093, (0.2, 0.25), (4, 4)),
        ('rsync', 'rsync daemon', 0.281, (0.3, 0.4), (6, 5)), ('curl-http', 'curl http, nginx', 0.260, (0.5, 0.79), (9, 12)),
        ('curl-https', 'curl https, nginx', 0.309, (0.6, 0.87), (11, 14)), ('scp', 'scp', 0.702, (1.3, 1.6), (9, 10)), ('aria2', 'aria2, 4 connections', 0.352, (0.5, 1.1), (9, 21)),
        ('libtorrent', 'libtorrent over TCP', 0.68, (2.9, 3.4), (120, 160)), ('libtorrent-utp', 'libtorrent over uTP, encrypted', 2.9, (10.2, 12.7), (130, 170))]]
    return result('rivals', 'The same 200 MB by each tool, in turn', rows, notes=['aria2 was asked for 4 connections.'])


def tracker():
    rng, figures = random.Random(5), []
    for ident, label, rate, late in [('announces', 'announces', 204_243, (38e-6, 729e-6, 4.6e-3)),
                                     ('announces-at-rate', 'announces at a rate', 20_000, (36e-6, 612e-6, 4.1e-3)),
                                     ('node-announces', 'announces of nodes', 73_000, (61e-6, 910e-6, 5.9e-3)),
                                     ('heartbeats', 'heartbeats of 32 contents', 61_000, (33e-6, 410e-6, 3.1e-3))]:
        for name, what, unit, value in [
                ('per_second', 'replies a second', '1/s', rate), ('per_cpu_second', 'replies a second of CPU', '1/s', rate * 1.08),
                ('p50', 'half of the replies within', 's', late[0]), ('p99', '99 % of the replies within', 's', late[1]),
                ('longest', 'all replies within', 's', late[2]), ('memory', 'memory', 'B', 31e6)]:
            figures.append({'id': f'{ident}.{name}', 'label': f'{label}: {what}', 'unit': unit, 'better': 'more' if unit == '1/s' else 'less',
                            **summary(around(rng, value))})
    figures.append({'id': 'heartbeats.contents_per_cpu_second', 'label': 'heartbeats of 32 contents: contents a second of CPU', 'unit': '1/s',
                    'better': 'more', **summary(around(rng, 1_900_000))})
    return result('tracker', 'peernet-tracker with 1 worker, 100000 peers in 10000 swarms, loopback', [], figures)


def all_of_them():
    return {'speedup': speedup(True), 'speedup-local': speedup(False), 'crowd': crowd(), 'engines': engines(), 'rivals': rivals(), 'tracker': tracker()}
