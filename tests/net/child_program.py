"""A program under test as a real process. Nothing here waits by sleeping for a fixed time, everything waits for a condition with
a generous deadline."""

import signal
import subprocess
import threading
import time


class Child:
    """A running program whose output is collected as it comes, by line."""

    DEADLINE_S = 60

    def __init__(self, name, words, command, stdin=None, stdout=subprocess.PIPE, **popen):
        """name and words: as shown in a failure; stdin: text that it reads; stdout: PIPE to collect it, or where it goes."""
        self.name, self.words = name, words
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL, stdout=stdout,
                                      stderr=subprocess.PIPE, **popen)
        self.out, self.err = [], []
        self.changed = threading.Condition()
        streams = [(self.child.stderr, self.err)] + ([(self.child.stdout, self.out)] if self.child.stdout else [])
        self.readers = [threading.Thread(target=self.collect, args=pair, daemon=True) for pair in streams]
        for reader in self.readers:
            reader.start()
        if stdin is not None:
            self.child.stdin.write(stdin.encode())
            self.child.stdin.close()

    def collect(self, stream, into):
        for line in stream:
            with self.changed:
                into.append(line.decode(errors='replace').rstrip('\n'))
                self.changed.notify_all()
        with self.changed:
            self.changed.notify_all()

    def ended(self):
        """It has, and all that it said is here."""
        return self.child.poll() is not None and not any(reader.is_alive() for reader in self.readers)

    def until(self, condition, what):
        """Waits until condition() holds; fails with everything that was printed when it does not."""
        end = time.monotonic() + self.DEADLINE_S
        with self.changed:
            while not condition():
                if time.monotonic() > end:
                    raise AssertionError(f'{what} did not come to pass\n{self}')
                if self.ended():
                    if condition():
                        return
                    raise AssertionError(f'ended with {self.child.returncode} before {what}\n{self}')
                self.changed.wait(0.2)

    def line(self, text, where=None):
        """Waits for a line that holds a text, on standard error if not said otherwise; the first of them."""
        where = self.err if where is None else where
        self.until(lambda: any(text in line for line in where), f'a line with {text!r}')
        return next(line for line in where if text in line)

    def wait(self):
        try:
            self.child.wait(self.DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise AssertionError(f'did not end\n{self}') from None
        for reader in self.readers:
            reader.join(self.DEADLINE_S)
        return self.child.returncode

    def send(self, number):
        self.child.send_signal(number)

    def stop(self, number=signal.SIGTERM):
        self.send(number)
        return self.wait()

    def end(self):
        if self.child.poll() is None:
            self.child.kill()
        self.child.wait()
        for reader in self.readers:
            reader.join()
        for stream in (self.child.stdout, self.child.stderr):
            if stream:
                stream.close()

    def __str__(self):
        return '\n'.join([f'{self.name} {" ".join(self.words)}', *(f'  out: {line}' for line in self.out[-20:]),
                          *(f'  err: {line}' for line in self.err[-20:])])
