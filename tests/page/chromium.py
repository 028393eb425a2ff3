"""Drives Debian's Chromium without a window through its DevTools pipe: null-terminated JSON on descriptors 3 and 4."""

import base64
import fcntl
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

PATIENCE = 60  # seconds for any answer


class Browser:
    """One browser with one page. `seen` collects events by name since the last open()."""

    def __init__(self):
        program = shutil.which('chromium')
        if program is None:
            raise FileNotFoundError('chromium is not installed')
        self.profile = tempfile.mkdtemp(prefix='chromium-')
        (from_us, to_browser), (from_browser, to_us) = self._pipe(), self._pipe()
        # Its own copies are 3 and 4; no sandbox, since it refuses one to root and only our own pages are shown.
        words = [program, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-extensions',
                 '--disable-component-update', '--disable-background-networking', '--force-color-profile=srgb', '--remote-debugging-pipe',
                 f'--user-data-dir={self.profile}', 'about:blank']
        script = f'exec 3<&{from_us} 4>&{to_us} {from_us}<&- {to_us}>&-; exec "$@"'
        self.process = subprocess.Popen(['bash', '-c', script, 'bash', *words], pass_fds=(from_us, to_us), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        os.close(from_us)
        os.close(to_us)
        self.write_end, self.read_end = to_browser, from_browser
        self.number, self.buffer, self.session, self.seen = 0, b'', None, []
        target = self.call('Target.createTarget', url='about:blank')['targetId']
        self.session = self.call('Target.attachToTarget', targetId=target, flatten=True)['sessionId']
        for domain in ('Page', 'Runtime', 'Log', 'Network'):
            self.call(f'{domain}.enable')

    @staticmethod
    def _pipe():
        """Both ends above 9, so that making them 3 and 4 of the browser closes neither."""
        low = os.pipe()
        high = tuple(fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in low)
        for end in low:
            os.close(end)
        return high

    def close(self):
        os.close(self.write_end)
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        os.close(self.read_end)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _message(self, until):
        while b'\0' not in self.buffer:
            if not select.select([self.read_end], [], [], max(0, until - time.monotonic()))[0]:
                raise TimeoutError('the browser does not answer')
            data = os.read(self.read_end, 1 << 20)
            if not data:
                raise EOFError('the browser has ended')
            self.buffer += data
        text, self.buffer = self.buffer.split(b'\0', 1)
        return json.loads(text)

    def call(self, method, **parameters):
        self.number += 1
        number, until = self.number, time.monotonic() + PATIENCE
        words = {'id': number, 'method': method, 'params': parameters, **({'sessionId': self.session} if self.session else {})}
        data = json.dumps(words).encode() + b'\0'
        while data:
            data = data[os.write(self.write_end, data):]
        while True:
            answer = self._message(until)
            if answer.get('id') == number:
                if 'error' in answer:
                    raise RuntimeError(f'{method}: {answer["error"]}')
                return answer['result']
            if 'method' in answer:
                self.seen.append((answer['method'], answer['params']))

    def wait_for(self, event):
        until = time.monotonic() + PATIENCE
        while not any(name == event for name, _ in self.seen):
            answer = self._message(until)
            if 'method' in answer:
                self.seen.append((answer['method'], answer['params']))

    def open(self, path, width=1200, dark=False):
        """Shows a file; afterwards its scripts have run and it has been laid out."""
        self.call('Emulation.setDeviceMetricsOverride', width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': 'dark' if dark else 'light'}])
        self.seen = []
        self.call('Page.navigate', url=f'file://{path}')
        self.wait_for('Page.loadEventFired')
        self.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')

    def evaluate(self, expression):
        answer = self.call('Runtime.evaluate', expression=expression, returnByValue=True, awaitPromise=True)
        if 'exceptionDetails' in answer:
            raise RuntimeError(answer['exceptionDetails'].get('exception', {}).get('description', 'exception'))
        return answer['result'].get('value')

    def screenshot(self, path):
        answer = self.call('Page.captureScreenshot', format='png', captureBeyondViewport=True)
        with open(path, 'wb') as file:
            file.write(base64.b64decode(answer['data']))

    def print_to_pdf(self, path):
        with open(path, 'wb') as file:
            file.write(base64.b64decode(self.call('Page.printToPDF', printBackground=False)['data']))
