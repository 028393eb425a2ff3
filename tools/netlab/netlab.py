"""Hosts in network namespaces around one router, each on a link with a rate, a delay and loss of its own.

    with Lab({'s1': Link(up=Shape(rate=400e6)), 'r': Link()}) as lab:
        process = lab.hosts['s1'].popen([...])          # runs on that host; ends with the lab at the latest
        lab.hosts['r'].popen(['ping', lab.hosts['s1'].address])

A link without delay and loss is a veth pair with the kernel's token bucket, which leaves segmentation offloads whole; any
other is carried by netlab-links (link_emulator.cpp). Namespaces have no names: they are open descriptors of this process,
so nothing is left behind, however it ends. Root only; why_not() says what is missing.
"""

import contextlib
import ctypes
import dataclasses
import os
import shutil
import signal
import subprocess

CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)
BURST = 131072  # of a token bucket: a train of 64 KiB with its headers passes whole; in smaller ones the kernel splits it, 5 times dearer
QUEUE_SECONDS = 0.05  # of waiting at the link's rate, where no queue is given


@dataclasses.dataclass(frozen=True)
class Shape:
    """One direction of a link."""
    rate: float = 0  # bit/s of IP packets, 0: as fast as it goes
    delay: float = 0  # seconds, one way
    loss: float = 0  # share of packets
    queue: int = 0  # bytes that may wait for the transmitter; 0: QUEUE_SECONDS worth, a few trains at least

    def queue_bytes(self):
        return self.queue or max(int(self.rate / 8 * QUEUE_SECONDS), 2 * BURST)


@dataclasses.dataclass(frozen=True)
class Link:
    up: Shape = Shape()  # from the host
    down: Shape = Shape()
    mtu: int = 1500

    def emulated(self):
        return any(shape.delay or shape.loss for shape in (self.up, self.down))


def why_not(emulated=False):
    """Why no Lab can be made here; None if one can."""
    if not hasattr(LIBC, 'setns') or not shutil.which('ip') or not shutil.which('tc'):
        return 'iproute2 is not installed'
    if emulated and not os.access('/dev/net/tun', os.R_OK | os.W_OK):
        return 'this host has no TUN devices'
    try:
        os.close(new_namespace())
    except OSError:
        return 'network namespaces are not permitted here'
    return None


def checked(result):
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def entered(namespace):
    """This thread, and the children that it starts meanwhile, are in that namespace."""
    home = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked(LIBC.setns(namespace, CLONE_NEWNET))
        yield
    finally:
        checked(LIBC.setns(home, CLONE_NEWNET))
        os.close(home)


def new_namespace():
    home = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
    try:
        checked(LIBC.unshare(CLONE_NEWNET))
        made = os.open('/proc/thread-self/ns/net', os.O_RDONLY | os.O_CLOEXEC)
        checked(LIBC.setns(home, CLONE_NEWNET))
        return made
    finally:
        os.close(home)


def run_batch(program, namespace, lines):
    """Commands of ip or tc, all in one process."""
    with entered(namespace):
        done = subprocess.run([program, '-batch', '-'], input='\n'.join(lines), text=True, capture_output=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f'{program}: {done.stderr.strip()}')


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def stop_all(processes, patience=5):
    """SIGTERM to each, then SIGKILL to those that stay."""
    for process in processes:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in processes:
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Host:
    def __init__(self, name, address, namespace):
        self.name, self.address, self.namespace = name, address, namespace
        self.processes = []

    def popen(self, argv, bound=True, **options):
        """subprocess.Popen on this host. bound: it dies with this process, for which it is forked a little more slowly."""
        if bound:
            options['preexec_fn'] = die_with_parent
        with entered(self.namespace):
            process = subprocess.Popen(argv, **{'stdin': subprocess.DEVNULL, **options})
        self.processes.append(process)
        return process

    def counters(self):
        """Bytes received and sent so far by its link, IP packets with their Ethernet headers if it is a veth pair."""
        with entered(self.namespace), open('/proc/thread-self/net/dev', encoding='ascii') as file:
            fields = next(line.split(':', 1)[1].split() for line in file if line.strip().startswith('eth0:'))
        return int(fields[0]), int(fields[8])


class Lab:
    def __init__(self, links, emulator='netlab-links', seed=1):
        """links: {name of a host: Link}; emulator: the program netlab-links, needed if a link has a delay or loss."""
        if not 0 < len(links) < 200:
            raise ValueError('a lab has 1 to 199 hosts')
        self.links, self.emulator_program, self.seed = dict(links), emulator, seed
        self.hosts, self.statistics = {}, {}
        self.hub, self.emulator = -1, None

    def __enter__(self):
        try:
            self.build()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def build(self):
        self.hub = new_namespace()
        for number, name in enumerate(self.links, 1):
            self.hosts[name] = Host(name, f'10.77.{number}.2', new_namespace())
        emulated = [(number, name) for number, name in enumerate(self.links, 1) if self.links[name].emulated()]
        if emulated:
            self.start_emulator(emulated)
        in_hub, shapes = ['link set lo up'], []
        for number, (name, link) in enumerate(self.links.items(), 1):
            if not link.emulated():
                run_batch('ip', self.hub, [f'link add h{number} mtu {link.mtu} type veth peer name eth0 mtu {link.mtu} '
                                           f'netns /proc/{os.getpid()}/fd/{self.hosts[name].namespace}'])
                in_hub.append(f'link set h{number} up')
                self.limit(self.hosts[name].namespace, 'eth0', link.up)
                shapes += self.limit_lines(f'h{number}', link.down)
            in_hub.append(f'addr add 10.77.{number}.1/30 dev h{number}')
            run_batch('ip', self.hosts[name].namespace, [
                'link set lo up', 'link set eth0 up', f'addr add 10.77.{number}.2/30 dev eth0', f'route add default via 10.77.{number}.1'])
        run_batch('ip', self.hub, in_hub)
        if shapes:
            run_batch('tc', self.hub, shapes)
        with entered(self.hub), open('/proc/sys/net/ipv4/ip_forward', 'w', encoding='ascii') as file:
            file.write('1')

    @staticmethod
    def limit_lines(device, shape):
        if not shape.rate:
            return []
        return [f'qdisc add dev {device} root tbf rate {int(shape.rate)}bit burst {BURST} limit {shape.queue_bytes()}']

    def limit(self, namespace, device, shape):
        lines = self.limit_lines(device, shape)
        if lines:
            run_batch('tc', namespace, lines)

    def start_emulator(self, numbered):
        words, fds = [], [self.hub]
        for number, name in numbered:
            link, namespace = self.links[name], self.hosts[name].namespace
            fds.append(namespace)
            word = f'host={namespace},hub={self.hub},device=h{number},mtu={link.mtu}'
            for way, shape in (('up', link.up), ('down', link.down)):
                word += (f',{way}_rate={int(shape.rate)},{way}_delay_us={round(shape.delay * 1e6)},{way}_loss_ppm={round(shape.loss * 1e6)}'
                         f',{way}_queue={shape.queue_bytes()}')
            words.append(word)
        self.emulator = subprocess.Popen([self.emulator_program, str(self.seed), *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         text=True, pass_fds=fds)
        if self.emulator.stdout.readline() != 'ready\n':
            raise RuntimeError('netlab-links did not start (see above)')

    def close(self):
        """Ends what runs on the hosts and takes the network down. statistics: {'h1.up': {...}} of the emulated links."""
        stop_all([process for host in self.hosts.values() for process in host.processes])
        if self.emulator:
            out, _ = self.emulator.communicate()  # closes its standard input, which ends it
            for line in out.splitlines():
                name, *numbers = line.split()
                self.statistics[name] = dict(zip(('packets', 'bytes', 'queue_drops', 'losses', 'latest_us'), map(int, numbers)))
            self.emulator = None
        for namespace in [host.namespace for host in self.hosts.values()] + [self.hub]:
            if namespace >= 0:
                os.close(namespace)
        self.hosts, self.hub = {}, -1
