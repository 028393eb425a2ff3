"""Stock BitTorrent clients as Debian packages them, each bound to an address of its own and left with nothing but a UDP
tracker to find peers by: no DHT, no peer exchange, no local discovery, and torrents that are marked private."""

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import libtorrent

DEADLINE_S = 60
PIECE = 64 * 1024
PR_SET_PDEATHSIG = 1
PEER_PORT, UDP_PORT, RPC_PORT = 51000, 52000, 53000  # and the last number of the address: some sockets are bound to any
LIBC = ctypes.CDLL(None, use_errno=True)


def until(condition, what, explain=lambda: ''):
    """Waits until condition() gives something true, and returns it."""
    end = time.monotonic() + DEADLINE_S
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f'{what} did not come to pass within {DEADLINE_S} s\n{explain()}')
        time.sleep(0.1)
    return value


def die_with_parent():
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Torrent:
    """A single file and its metainfo, with one tracker."""

    def __init__(self, folder, name, data, announce):
        self.name, self.data = name, data
        pieces = b''.join(hashlib.sha1(data[at:at + PIECE]).digest() for at in range(0, len(data), PIECE))
        info = {b'length': len(data), b'name': name.encode(), b'piece length': PIECE, b'pieces': pieces, b'private': 1}
        self.info_hash = hashlib.sha1(libtorrent.bencode(info)).digest()
        self.path = os.path.join(folder, name + '.torrent')
        with open(self.path, 'wb') as file:
            file.write(libtorrent.bencode({b'announce': announce.encode(), b'info': info}))


class Program:
    """A child whose output goes to a file in its folder; it never outlives the test."""

    def __init__(self, folder, words):
        self.words = words
        self.log = os.path.join(folder, os.path.basename(words[0]) + '.log')
        if shutil.which(words[0]) is None:
            raise AssertionError(f'{words[0]} is not installed: ./dev test installs what the tests need')
        with open(self.log, 'wb') as log:
            self.child = subprocess.Popen(words, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                                          env={**os.environ, 'HOME': folder}, preexec_fn=die_with_parent)

    def output(self):
        with open(self.log, encoding='utf-8', errors='replace') as log:
            return log.read().replace('\r', '\n')

    def ask_to_end(self, number=signal.SIGINT):
        if self.child.poll() is None:
            self.child.send_signal(number)

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()

    def __str__(self):
        lines = [line.rstrip() for line in self.output().splitlines()]
        different = [line for before, line in zip(['', *lines], lines) if line != before]
        last = '\n'.join(f'  {line}' for line in different[-25:])
        return f'{" ".join(self.words)} (exit status {self.child.poll()})\n{last}'


class Client:
    """Has the torrent's file in a folder of its own: from the start if it is a seed, else as soon as it has fetched it."""

    def __init__(self, folder, torrent, address, seed):
        self.folder = os.path.join(folder, f'{type(self).__name__.lower()}-{address.replace(":", "_")}')
        self.torrent, self.address = torrent, address
        self.number = int(address.replace(':', '.').rpartition('.')[2])
        os.makedirs(self.folder)
        self.file = os.path.join(self.folder, torrent.name)
        if seed:
            with open(self.file, 'wb') as file:
                file.write(torrent.data)

    def has_all(self):
        if not os.path.exists(self.file) or os.path.getsize(self.file) != len(self.torrent.data):
            return False
        with open(self.file, 'rb') as file:
            return file.read() == self.torrent.data

    def ask_to_end(self):
        self.program.ask_to_end()

    def end(self):
        self.program.end()

    def __str__(self):
        size = os.path.getsize(self.file) if os.path.exists(self.file) else 0
        return f'{type(self).__name__} at {self.address}, {size} of {len(self.torrent.data)} bytes\n{self.program}'


class Aria2(Client):
    def __init__(self, folder, torrent, address, seed):
        super().__init__(folder, torrent, address, seed)
        # aria2 does UDP trackers over its DHT socket: that has to be open, but knows no entry point.
        self.program = Program(self.folder, [
            'aria2c', '--no-conf=true', '--enable-dht=true', f'--dht-file-path={self.folder}/dht.dat',
            f'--dht-listen-port={UDP_PORT + self.number}', '--enable-dht6=false', '--bt-enable-lpd=false', '--enable-peer-exchange=false',
            f'--interface={address}', f'--listen-port={PEER_PORT + self.number}', '--file-allocation=none', '--check-integrity=true',
            '--seed-ratio=0', '--seed-time=60', '--summary-interval=0', '--console-log-level=notice', '--enable-color=false',
            f'--log={self.folder}/details.log', '--log-level=info', f'--dir={self.folder}', torrent.path])

    def found_peers_by(self):
        with open(os.path.join(self.folder, 'details.log'), encoding='utf-8', errors='replace') as log:
            return {'tracker'} if 'UDPT received ANNOUNCE reply' in log.read() else set()


class Transmission(Client):
    """transmission-cli: the same engine as the daemon's, in a package that starts no service when it is installed."""

    def __init__(self, folder, torrent, address, seed):
        super().__init__(folder, torrent, address, seed)
        settings = {
            'bind-address-ipv4': address, 'dht-enabled': False, 'pex-enabled': False, 'lpd-enabled': False,
            'utp-enabled': False, 'port-forwarding-enabled': False, 'peer-port': PEER_PORT + self.number, 'rpc-enabled': True,
            'rpc-bind-address': address, 'rpc-port': RPC_PORT + self.number, 'rpc-whitelist-enabled': False,
            'rpc-host-whitelist-enabled': False, 'rpc-authentication-required': False, 'download-dir': self.folder}
        home = os.path.join(self.folder, 'home')
        os.makedirs(home)
        with open(os.path.join(home, 'settings.json'), 'w', encoding='utf-8') as file:
            json.dump(settings, file)
        self.session = ''
        self.opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        self.program = Program(self.folder, ['transmission-cli', '-g', home, '-w', self.folder, '-p',
                                             str(PEER_PORT + self.number), torrent.path])

    def ask(self):
        """Its own account of the torrent, or None as long as it does not answer."""
        body = json.dumps({'method': 'torrent-get', 'arguments': {'fields': ['peersFrom', 'trackerStats']}}).encode()
        for _ in range(2):
            request = urllib.request.Request(f'http://{self.address}:{RPC_PORT + self.number}/transmission/rpc', body,
                                             {'X-Transmission-Session-Id': self.session})
            try:
                with self.opener.open(request, timeout=10) as reply:
                    return json.load(reply)['arguments']['torrents'][0]
            except urllib.error.HTTPError as error:  # 409 tells the session id to come back with
                self.session = error.headers.get('X-Transmission-Session-Id', '')
            except OSError:
                return None
        return None

    def found_peers_by(self):
        told = self.ask()
        if told is None or not told['trackerStats'] or not told['trackerStats'][0]['lastAnnounceSucceeded']:
            return set()
        others = {name for name, count in told['peersFrom'].items() if count}
        # Others may have connected to it: they were told of it by the tracker.
        return {'tracker'} | {name for name in others if name not in ('fromTracker', 'fromIncoming', 'fromCache')}


class Libtorrent(Client):
    """In a process of its own: the connection ids of its UDP trackers are shared by all sessions of a process, and a tracker
    that checks addresses refuses those of another session's."""

    def __init__(self, folder, torrent, address, seed):
        super().__init__(folder, torrent, address, seed)
        host = f'[{address}]' if ':' in address else address
        self.program = Program(self.folder, [sys.executable, os.path.realpath(__file__), torrent.path, self.folder,
                                             f'{host}:{PEER_PORT + self.number}'])

    def has_all(self):
        return 'content.bin: is whole' in self.program.output() and super().has_all()

    def found_peers_by(self):
        return {line.removeprefix('peers by ') for line in self.program.output().splitlines() if line.startswith('peers by ')}


def run_libtorrent(torrent, folder, listen):
    """A libtorrent session that leaves at SIGINT; prints what it does."""
    stop = threading.Event()
    signal.signal(signal.SIGINT, lambda *_: stop.set())
    category = libtorrent.alert.category_t
    session = libtorrent.session({
        'listen_interfaces': listen, 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False, 'enable_natpmp': False,
        'alert_mask': category.tracker_notification | category.error_notification | category.status_notification})
    parameters = libtorrent.add_torrent_params()
    parameters.ti = libtorrent.torrent_info(torrent)
    parameters.save_path = folder
    parameters.flags &= ~libtorrent.torrent_flags.auto_managed & ~libtorrent.torrent_flags.paused
    handle = session.add_torrent(parameters)
    said = set()

    def say_once(text):
        if text not in said:
            said.add(text)
            print(text, flush=True)

    while not stop.wait(0.05):
        for alert in session.pop_alerts():
            print(alert.message(), flush=True)
            if isinstance(alert, libtorrent.tracker_reply_alert) and alert.num_peers > 0:
                say_once('peers by tracker')
        for peer in handle.get_peer_info():
            for bit, name in ((1, 'tracker'), (2, 'dht'), (4, 'pex'), (8, 'lsd')):
                if int(peer.source) & bit:
                    say_once(f'peers by {name}')
        if handle.status().is_seeding:
            say_once('content.bin: is whole')
    session.pause()  # says `stopped` to the tracker; whoever started this ends it when that has arrived
    signal.pause()


if __name__ == '__main__':
    run_libtorrent(*sys.argv[1:])
