import random
from collections.abc import Callable, Iterable

from hypothesis import given
from hypothesis import strategies as st

from huidu.core.flow import Flow, Seen, flowed

STEP = 0.5


def run(
    ticks: Iterable[tuple[int | None, int, int, str | None]], flow: Flow = Flow(), start: float = 0.0
) -> list[Flow]:
    """The flows after ticks of (written, failures, read, trouble), half a second apart."""
    found = []
    for number, (written, failures, read, trouble) in enumerate(ticks):
        flow = flowed(flow, Seen(start + number * STEP, written, failures, "one", read, trouble))
        found.append(flow)
    return found


def steady(ticks: int, read: Callable[[int], int], failures: int = 0) -> list[tuple[int, int, int, None]]:
    """Ten lines a tick are written; `read` says how many of `written` are read."""
    return [(10 * tick, failures, read(10 * tick), None) for tick in range(ticks)]


@given(st.integers(-(10**6), 10**6), st.lists(st.tuples(st.integers(0, 500), st.integers(0, 3)), max_size=80))
def test_lines_that_come_a_little_late_are_no_trouble(before: int, ticks: list[tuple[int, int]]) -> None:
    """However traffic comes and goes, and however late a tick sees it: by up to three ticks."""
    written = [sum(count for count, _ in ticks[: number + 1]) for number in range(len(ticks))]
    read = 0
    seen = []
    for number, (_, late) in enumerate(ticks):
        # What was read stays read.
        read = max(read, written[max(0, number - late)])
        seen.append((before + written[number], 0, read, None))
    assert all(flow.since is None for flow in run(seen))


def test_lines_that_do_not_arrive_are_told_within_five_seconds_and_for_as_long_as_they_stay_away() -> None:
    flows = run(steady(20, lambda written: written) + [(200 + 10 * tick, 0, 200, None) for tick in range(60)])
    began = next(index for index, flow in enumerate(flows) if flow.since is not None)
    assert began <= 20 + 5 / STEP
    assert all(flow.since is not None for flow in flows[began:])
    assert (flows[-1].seconds(79 * STEP) or 0) > 15
    assert "have not arrived" in flows[-1].why


def test_lines_that_were_lost_are_forgiven_once_others_flow() -> None:
    lost = 137
    flows = run(
        steady(20, lambda written: written) + [(10 * tick, 0, 10 * tick - lost, None) for tick in range(20, 80)]
    )
    assert any(flow.since is not None for flow in flows)
    assert flows[-1].since is None
    longest = max(flow.seconds(index * STEP) or 0 for index, flow in enumerate(flows))
    # Sooner than the share would end for it.
    assert longest < 15


def _unsteady(seed: int, ticks: int, lost: range) -> list[tuple[int | None, int, int, str | None]]:
    """From 0 to 20 lines are written in a tick; those of the ticks in `lost` are never read."""
    chance, written, read = random.Random(seed), 0, 0
    found: list[tuple[int | None, int, int, str | None]] = []
    for tick in range(ticks):
        count = chance.randint(0, 20)
        written, read = written + count, read + (0 if tick in lost else count)
        found.append((written, 0, read, None))
    return found


@given(st.integers(0, 10**6))
def test_lines_that_were_lost_are_forgiven_while_users_come_and_go(seed: int) -> None:
    """What is on its way changes with every tick: it must not look like another loss each time."""
    flows = run(_unsteady(seed, 320, range(20, 70)))
    assert all(flow.since is not None for flow in flows[40:70])
    assert flows[-1].since is None


@given(st.integers(0, 10**6))
def test_lines_that_go_on_to_be_lost_are_not_forgiven_while_users_come_and_go(seed: int) -> None:
    flows = run(_unsteady(seed, 200, range(20, 200)))
    assert all(flow.since is not None for flow in flows[40:])


def test_lines_that_were_lost_are_not_forgiven_while_none_are_written() -> None:
    flows = run(steady(20, lambda written: written) + [(200, 0, 150, None)] * 80)
    assert flows[-1].since is not None


def test_a_failed_write_a_missing_file_and_a_silent_gateway_are_told_at_once() -> None:
    good = steady(20, lambda written: written)
    failed = run([*good, (200, 1, 200, None)])
    assert failed[-1].why == "1 writes to the log failed"
    gone = run([*good, (200, 0, 200, "the log is gone")])
    assert gone[-1].why == "the log is gone"
    silent = run([*good, (None, 0, 200, None)])
    assert silent[-1].why == "the gateway does not answer"
    for flows in (failed, gone, silent):
        again = run([(200, flows[-1].failures, 200, None)] * 10, flows[-1], 10.5)
        # For some seconds nobody knows whether lines arrive; then all is well.
        assert again[0].since is not None
        assert again[-1].since is None


def test_what_a_removed_file_cost_is_not_said_again_when_traffic_pauses() -> None:
    gone = [(200, 0, 190, "the log is gone"), (210, 0, 190, None)]
    flows = run([*steady(20, lambda written: written), *gone, *[(220, 0, 205, None)] * 60])
    assert flows[20].why == "the log is gone"
    assert flows[-1].since is None


def test_another_run_of_the_gateway_counts_anew() -> None:
    flows = run(steady(20, lambda written: written))
    flow = flowed(flows[-1], Seen(10.0, 3, 0, "two", 195))
    for tick in range(1, 40):
        flow = flowed(flow, Seen(10.0 + tick * STEP, 3 + 10 * tick, 0, "two", 195 + 10 * tick))
        assert flow.since is None


def test_a_gateway_whose_lines_nobody_sees_from_the_start_is_told_once_it_writes() -> None:
    flows = run([(0, 0, 0, None)] * 10 + [(10 * tick, 0, 0, None) for tick in range(20)])
    assert flows[-1].since is not None
