"""One honest source among liars, stallers and tricklers: downloads finish with the right bytes, liars are banned by name, and
the honest source never is."""

import os
import subprocess
import unittest

from peernet_program import ProgramTest, random_bytes

HOSTILE = os.environ['HOSTILE_SOURCE_PROGRAM']
MIB = 1 << 20


class HostileSwarm(ProgramTest):
    def hostile(self, link, path, modes):
        """Addresses of sources that do as told."""
        child = subprocess.Popen([HOSTILE, link, path, *modes], stdout=subprocess.PIPE, text=True)

        def end():
            child.terminate()
            child.wait()
            child.stdout.close()
        self.addCleanup(end)
        addresses = [child.stdout.readline().strip() for _ in modes]
        self.assertNotIn('', addresses, 'the hostile sources did not start')
        return addresses

    def download_among(self, modes, data, first=False):
        """A get from an honest source of which the link names so many others, before it or after it."""
        share = self.share(self.make('data', data))
        others = self.hostile(share.link, self.at('data'), modes)
        head, name = share.link.rsplit('/', 1)
        start, honest = head.rsplit('p=', 1)
        peers = [honest, *others] if first else [*others, honest]
        link = f'{start}{",".join("p=" + peer for peer in peers)}/{name}'
        get = self.got(link, '-o', 'copy', '--overwrite', '--progress', 'json', '--timeout', '60')
        self.assert_file(self.at('copy'), data)
        return get, honest, others

    def banned(self, get):
        return {event['peer'] for event in get.events() if event['event'] == 'source' and 'banned' in event['text']}

    def test_among_nine_liars(self):
        get, honest, liars = self.download_among(['lie'] * 9, random_bytes(24 * MIB + 7, 1))
        banned = self.banned(get)
        self.assertTrue(banned, str(get))
        self.assertLessEqual(banned, set(liars), 'only liars')
        # Whoever gave a whole chunk was convicted by it: what did not verify came from banned sources only.
        self.assertLessEqual({event['peer'] for event in get.events() if event['event'] == 'chunk_bad'} - {''}, banned)
        self.assertNotIn(honest, banned)

    def test_among_nine_that_stall(self):
        get, _, _ = self.download_among(['stall'] * 9, random_bytes(8 * MIB, 2))
        self.assertEqual(self.banned(get), set(), 'to be slow is no lie')

    def test_among_nine_that_trickle(self):
        get, honest, _ = self.download_among(['trickle'] * 9, random_bytes(8 * MIB, 3))
        self.assertNotIn(honest, self.banned(get))

    def test_among_three_of_each(self):
        get, honest, others = self.download_among(['lie', 'stall', 'trickle'] * 3, random_bytes(16 * MIB + 1, 4))
        self.assertLessEqual(self.banned(get), set(others[0::3]), 'only liars')
        self.assertNotIn(honest, self.banned(get))

    def test_the_order_in_the_link_does_not_matter(self):
        get, honest, _ = self.download_among(['lie', 'stall', 'trickle'] * 3, random_bytes(8 * MIB + 1, 5), first=True)
        self.assertNotIn(honest, self.banned(get))

    def test_a_single_chunk_that_all_would_give(self):
        get, honest, _ = self.download_among(['lie'] * 5 + ['stall'] * 4, random_bytes(MIB // 2, 6))
        self.assertNotIn(honest, self.banned(get))

    def test_hostile_sources_that_turn_honest_serve(self):  # the control of the tests around it
        data = random_bytes(12 * MIB, 7)
        get, _, others = self.download_among(['honest'] * 2, data)
        self.assertEqual(self.banned(get), set())
        given = {event['peer'] for event in get.events() if event['event'] == 'source' and event['bytes'] > 0}
        self.assertTrue(given & set(others), str(get))


if __name__ == '__main__':
    unittest.main()
