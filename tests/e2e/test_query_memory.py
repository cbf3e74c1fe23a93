"""Whatever is asked, a query keeps to its ceiling of memory and gives back all it took."""
from hearth import LONG, now_ms, series, wait_until

MIB = 1 << 20
CEILING = 16 * MIB
ROOM = 8 * MIB  # beyond the ceiling: text of the answer, caches of the threads at work on it
SERIES = 200_000 if LONG else 20_000
SAMPLES = 4
STEP_MS = 15_000

REFUSED = [
    '{__name__=~".+"}',
    'label_replace({__name__=~".+"}, "more", "$1-$1-$1", "pod", "(.*)")',
    "noise * on (pod, text) group_left noise",
    'noise * on () group_left label_replace(noise{pod="000001"}, "__name__", "one", "", "")',
    'count_values("v", noise)',
    "sort_desc(noise + noise)",
    "sum by (pod) (noise) or noise",
    "+".join(["noise"] * 200),
    "max_over_time(noise[1h:100ms])",
]


def resident(server, field):
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith(field))
    return int(line.split()[1]) * 1024


def forget_peak(server):
    with open(f"/proc/{server.process.pid}/clear_refs", "w") as file:
        file.write("5")


def test_greedy_queries_are_refused_and_leave_no_trace(make):
    server = make(f"--query.max-memory={CEILING}").start()
    start = now_ms() - SAMPLES * STEP_MS
    for first in range(0, SERIES, 2000):
        server.must_write([
            series(
                {"__name__": "noise", "pod": f"{i:06d}", "text": f"what makes it longer {i}"},
                [(start + k * STEP_MS, hash((i, k)) / 7.0) for k in range(SAMPLES)],
            )
            for i in range(first, first + 2000)
        ])
    span = {"start": start / 1000, "end": start / 1000 + 3600, "step": 1}
    server.query("count(noise)", start / 1000)  # what is kept between queries is there
    before = resident(server, "VmRSS")
    for text in REFUSED:
        forget_peak(server)
        reply = server.form("/api/v1/query_range", {"query": text, **span})
        assert reply.code == 422, (text[:80], reply)
        assert reply.json["errorType"] == "execution", (text[:80], reply)
        assert "memory" in reply.json["error"], (text[:80], reply)
        assert resident(server, "VmHWM") < before + CEILING + ROOM, text[:80]
    wait_until(lambda: resident(server, "VmRSS") < before + 2 * MIB, 20,
               what="memory goes back")
    assert server.query("count(noise)", start / 1000)["result"][0]["value"][1] == str(SERIES)
