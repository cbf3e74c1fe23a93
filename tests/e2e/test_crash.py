"""kill -9 at random instants, with a ledger of what was acknowledged: every acknowledged sample is
there after each restart, exactly once, with its value; nothing is there that was never sent."""
import http.client
import os
import random
import threading
import time

import pytest

from hearth import LONG, now_ms, series

WRITERS = 4
SERIES_PER_WRITER = 10
ROUNDS = 60 if LONG else 8


class Writer(threading.Thread):
    """Sends one sample of each of its series per request, in order of time, until told to stop."""

    def __init__(self, server, number, start_ms):
        super().__init__()
        self.server, self.number = server, number
        self.t_ms = start_ms
        self.acknowledged = {}  # (series, t_ms): value
        self.sent = {}
        self.failure = None
        self.halt = threading.Event()

    def keys(self):
        return [(self.number, i) for i in range(SERIES_PER_WRITER)]

    def batch(self):
        self.t_ms += random.randint(1, 40)
        return {(key, self.t_ms): random.choice((1.0, 2.5, random.random())) for key in self.keys()}

    def send(self, batch):
        self.sent.update(batch)
        body = [
            series({"__name__": "ledger", "w": str(w), "i": str(i)}, [(t, value)])
            for ((w, i), t), value in batch.items()
        ]
        try:
            code = self.server.write(body).code
        except (OSError, http.client.HTTPException):
            return False  # killed under our hands: the batch may be in or not
        if code == 204:
            self.acknowledged.update(batch)
        elif code != 503:
            self.failure = f"a write was answered with {code}"
        return code == 204

    def run(self):
        batch = self.batch()
        while not self.halt.is_set():
            if self.send(batch):
                batch = self.batch()
            else:
                time.sleep(0.02)  # the same batch again, as a sender does


def stored(server):
    out = {}
    for key, points in server.points("ledger", 3 * 3600).items():
        labels = dict(key)
        name = (int(labels["w"]), int(labels["i"]))
        for t_ms, text in points:
            assert (name, t_ms) not in out, f"twice: {name} at {t_ms}"
            out[name, t_ms] = float(text)
    return out


def compare(server, writers):
    have = stored(server)
    for writer in writers:
        assert writer.failure is None, writer.failure
        for key, value in writer.acknowledged.items():
            assert key in have, f"lost: {key}"
            assert have[key] == value, f"changed: {key}"
    sent = {key: value for writer in writers for key, value in writer.sent.items()}
    for key, value in have.items():
        assert sent.get(key) == value, f"never sent: {key}"


@pytest.mark.parametrize("sync", ["interval", "always"])
def test_every_acknowledged_sample_survives_kill_9(make, sync):
    seed = int(os.environ.get("HEARTH_SEED", time.time_ns() % 1_000_000))
    print(f"HEARTH_SEED={seed}")
    random.seed(seed)
    # Small segments and frequent snapshots, so that kills also fall into those.
    server = make(f"--wal.sync={sync}", "--wal.segment-size=64KiB", "--snapshot.interval=1s")
    server.start()
    writers = [Writer(server, n, now_ms() - 3600_000) for n in range(WRITERS)]
    for writer in writers:
        writer.start()
    try:
        for _ in range(ROUNDS):
            time.sleep(random.uniform(0.05, 2.0))
            server.kill()
            if random.random() < 0.3:  # and again, while it recovers
                server.spawn()
                time.sleep(random.uniform(0.0, 0.2))
                server.kill()
            server.start()
        time.sleep(0.2)
    finally:
        for writer in writers:
            writer.halt.set()
        for writer in writers:
            writer.join()
    assert sum(len(writer.acknowledged) for writer in writers) > ROUNDS * SERIES_PER_WRITER
    compare(server, writers)
    server.kill()
    server.start()
    compare(server, writers)
    assert server.stop() == 0
    server.start()
    compare(server, writers)
