"""What a line says of a version: whether users got what was due to them, and how long it took."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from huidu.core.audience import Rule
from huidu.core.faces import RequestKind
from huidu.core.observation import (
    BANDS_BYTES,
    BANDS_SECONDS,
    SOCKET_BAND,
    Failure,
    Observation,
    Sample,
    samples,
)
from huidu.core.sockets import SocketReport

HANG_SECONDS = 30.0
UNIT = "00000000000000ff"
PEER = "00000000000000aa"
# What a socket to a foreign service that says nothing looks like, behind either gateway.
MUTE_ENVOY = {"ms": 12_000.0, "frames_up": 40, "frames_down": 0}
MUTE_NGINX = {"ms": 12_000.0, "bytes_down": 129}


def observation(**changes: Any) -> Observation:
    plain: dict[str, Any] = {
        "time": 100.25,
        "request_id": "r1",
        "release": 7,
        "version": "v2",
        "served_by": "v2",
        "generation": 4,
        "rule": Rule.SHARE,
        "unit": UNIT,
        "share_bp": 500,
        "attempts": 1,
        "status": 200,
        "ms": 1500.0,
        "audio_seconds": 2.5,
        "kind": RequestKind.RECOGNITION,
        "peer": PEER,
        "service_ms": 300.0,
        "upload_ms": 1000.0,
        "bytes_up": 80_000,
        "bytes_down": 200,
        "chars": 12,
    }
    return Observation(**(plain | changes))


def socket(**changes: Any) -> Observation:
    plain: dict[str, Any] = {
        "kind": RequestKind.SOCKET,
        "status": 101,
        "ms": 4000.0,
        "service_ms": None,
        "upload_ms": None,
        "chars": None,
        "audio_seconds": None,
    }
    return observation(**(plain | changes))


def report(**changes: Any) -> SocketReport:
    plain: dict[str, Any] = {
        "request_id": "r1",
        "number": 1,
        "ended": True,
        "time": 104.0,
        "opened_at": 100.0,
        "version": "v2",
        "release_id": 7,
        "rule": "share",
        "unit": UNIT,
        "peer": PEER,
        "share_bp": 500,
        "close_code": 1000,
        "closed_by": "client",
        "first_message_ms": 250.0,
        "frames_up": 40,
        "frames_down": 4,
        "bytes_up": 64_000,
        "bytes_down": 400,
        "audio_seconds": 2.5,
        "mute_speech_seconds": 0.0,
    }
    return SocketReport(**(plain | changes))


def sampled(*seen: Observation, reports: tuple[SocketReport, ...] = (), managed: tuple[str, ...] = ()) -> list[Sample]:
    return list(samples(seen, reports, HANG_SECONDS, managed))


def one(seen: Observation, managed: tuple[str, ...] = ()) -> Sample:
    (sample,) = sampled(seen, managed=managed)
    return sample


# ------------------------------------------------------------------ what counts


@pytest.mark.parametrize("kind", [RequestKind.OTHER, "a kind of a later Huidu"])
def test_only_recognitions_and_sockets_are_evidence(kind: str) -> None:
    assert sampled(observation(kind=kind), observation(kind=kind, status=503)) == []
    assert len(sampled(observation(), socket(request_id="r2"), observation(kind=kind))) == 2


def test_a_recognition_is_sampled_whole() -> None:
    assert one(observation()) == Sample(
        time=100.25,
        request_id="r1",
        release=7,
        stage="share:500",
        version="v2",
        rule=Rule.SHARE,
        unit=UNIT,
        peer=PEER,
        status_class="2xx",
        status=200,
        attempts=1,
        ms=1500.0,
        audio_ms=2500,
        answered=True,
        latency_ms=300.0,
        bands=("b0", "s0"),
        generation=4,
    )


def test_a_sample_belongs_to_the_stage_of_its_own_share() -> None:
    assert [one(observation(share_bp=share)).stage for share in (0, 500, 10_000)] == ["share:0", "share:500", "bake"]


@pytest.mark.parametrize(
    ("rule", "compared", "included"),
    [(Rule.SHARE, True, False), (Rule.REST, True, False), (Rule.INCLUDED, False, True), (Rule.EXCLUDED, False, False)],
)
def test_what_a_bucket_assigned_is_compared(rule: Rule, compared: bool, included: bool) -> None:
    sample = one(observation(rule=rule))
    assert (sample.compared, sample.included) == (compared, included)


def test_a_line_of_an_earlier_huidu_counts_and_has_no_latency() -> None:
    old = Observation(100.0, "r1", 7, "v2", "v2", 4, Rule.SHARE, UNIT, 500, 1, 200, 31.0, 2.5)
    sample = one(old)
    assert (sample.counts, sample.failure, sample.latency_ms, sample.answered, sample.peer) == (
        True, None, None, False, None,
    )  # fmt: skip
    assert one(old._replace(status=503)).failure is Failure.BAD


# ------------------------------------------------------------------ whose failure


@pytest.mark.parametrize(
    ("changes", "failure", "reason"),
    [
        ({}, None, None),
        # Another address, a switch that nobody asked for, no byte at all: a text is none of these.
        ({"status": 302}, Failure.REJECTED, None),
        ({"status": 101}, Failure.REJECTED, None),
        ({"status": 204, "chars": None, "bytes_down": 0}, Failure.REJECTED, None),
        ({"chars": None, "bytes_down": 0}, Failure.REJECTED, None),
        ({"bytes_down": 0}, None, None),
        ({"broken": True}, Failure.BAD, "broken"),
        ({"broken": True, "status": 404}, Failure.BAD, "broken"),
        # What nginx says of a client that left a version may answer, too.
        ({"status": 499}, Failure.REJECTED, None),
        ({"status": 500}, Failure.BAD, "5xx"),
        ({"status": 503}, Failure.BAD, "5xx"),
        ({"attempts": 2}, Failure.BAD, "fell_back"),
        ({"served_by": "v1"}, Failure.BAD, "fell_back"),
        ({"attempts": 2, "served_by": "v1", "status": 404}, Failure.BAD, "fell_back"),
        ({"attempts": 2, "status": 499}, Failure.BAD, "fell_back"),
        ({"served_by": None}, None, None),
        ({"status": 404, "chars": None}, Failure.REJECTED, None),
        ({"status": 429, "chars": None}, Failure.REJECTED, None),
        ({"chars": 0}, Failure.EMPTY, None),
        ({"chars": None}, None, None),
        ({"status": 204, "chars": 0}, Failure.EMPTY, None),
        ({"status": 302, "chars": 0}, Failure.REJECTED, None),
    ],
)
def test_what_users_did_not_get(changes: dict[str, Any], failure: Failure | None, reason: str | None) -> None:
    sample = one(observation(**changes))
    assert (sample.failure, sample.reason, sample.counts) == (failure, reason, True)


LEFT = [
    {"status": 0},
    {"status": 100},
    {"status": 499},
    # The gateway's own answers: no version was asked.
    {"status": 400, "attempts": 0},
    {"status": 408, "attempts": 0},
    {"status": 413, "attempts": 0},
]


@pytest.mark.parametrize("left", LEFT)
def test_who_leaves_during_the_upload_is_nobodys_failure_however_long_it_took(left: dict[str, Any]) -> None:
    sample = one(observation(**left, upload_ms=None, service_ms=None, chars=None, ms=7_200_000.0))
    assert (sample.failure, sample.status_class, sample.latency_ms, sample.answered) == (None, "left", None, False)


@pytest.mark.parametrize("left", LEFT)
def test_who_leaves_after_waiting_longer_than_a_hang_was_failed(left: dict[str, Any]) -> None:
    # 80 kB may take 30 s and 10 s.
    def leaving(waited_seconds: float) -> Sample:
        return one(observation(**left, upload_ms=1000.0, service_ms=None, chars=None, ms=1000 + waited_seconds * 1000))

    assert leaving(40.0).failure is None
    assert (leaving(40.1).failure, leaving(40.1).reason) == (Failure.BAD, "left")


def test_a_slow_upload_is_not_waiting() -> None:
    slow = observation(status=499, upload_ms=90_000.0, service_ms=None, chars=None, ms=91_000.0)
    assert one(slow).failure is None


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize(("service_ms", "late"), [(40_000.0, False), (40_001.0, True)])
def test_an_answer_later_than_a_hang_counts_alike_on_both_versions(version: str, service_ms: float, late: bool) -> None:
    sample = one(observation(version=version, served_by=version, service_ms=service_ms, ms=60_000.0))
    assert (sample.failure, sample.reason) == ((Failure.BAD, "late") if late else (None, None))
    # It took its time all the same, and that is known.
    assert sample.latency_ms == service_ms


def test_a_long_recording_may_take_long() -> None:
    hour = observation(bytes_up=115_200_000, audio_seconds=3600.0, service_ms=360_000.0, ms=400_000.0)
    assert one(hour).failure is None
    assert one(hour._replace(bytes_up=None)).reason == "late"


@pytest.mark.parametrize("left", [{"status": 0}, {"status": 100}, {"status": 499}])
def test_who_gave_up_waiting_tells_how_long_it_took_at_least(left: dict[str, Any]) -> None:
    """Clients that wait less than is called a hang must not make a version that hangs look like one without traffic."""
    sample = one(observation(**left, service_ms=None, chars=None, ms=9000.0))
    assert (sample.failure, sample.latency_ms) == (None, 8000.0)


def test_who_was_never_led_to_a_version_tells_nothing_of_its_time() -> None:
    assert one(observation(status=499, attempts=0, served_by=None, service_ms=None, ms=9000.0)).latency_ms is None


@pytest.mark.parametrize(
    "changes", [{"status": 503}, {"attempts": 2, "served_by": "v1"}, {"status": 404}, {"status": 302}]
)
def test_what_failed_or_was_refused_has_no_latency(changes: dict[str, Any]) -> None:
    assert one(observation(**changes)).latency_ms is None


# ------------------------------------------------------------------ sockets


@pytest.mark.parametrize(
    ("code", "by", "reason"),
    [
        *((code, "service", f"close_{code}") for code in (1006, 1011, 1012, 1013)),
        # Whatever a client says, and what nobody knows who said it, blames no service.
        *((code, by, None) for code in (1006, 1011, 1012, 1013) for by in ("client", None)),
        *((code, by, None) for code in (1000, 1001, 1005, 1008, 4012) for by in ("service", "client", None)),
        (None, None, None),
    ],
)
def test_which_closes_are_bad(code: int | None, by: str | None, reason: str | None) -> None:
    sample = one(socket(close_code=code, closed_by=by, frames_up=3, frames_down=1))
    assert sample.reason == reason
    assert sample.failure is (Failure.BAD if reason else None)


@pytest.mark.parametrize(
    ("changes", "mute"),
    [
        (MUTE_ENVOY, True),
        (MUTE_ENVOY | {"ms": 10_000.0}, True),
        (MUTE_ENVOY | {"ms": 9_999.0}, False),
        (MUTE_ENVOY | {"frames_down": 1}, False),
        # Who sent nothing is owed nothing.
        (MUTE_ENVOY | {"frames_up": 0}, False),
        (MUTE_ENVOY | {"frames_up": None}, False),
        # Frames tell better than bytes, which pings make too.
        (MUTE_ENVOY | {"frames_down": 1, "bytes_down": 20}, False),
        (MUTE_NGINX, True),
        (MUTE_NGINX | {"bytes_down": 0}, True),
        (MUTE_NGINX | {"bytes_down": 130}, False),
        (MUTE_NGINX | {"ms": 9_999.0}, False),
        ({"ms": 60_000.0, "bytes_down": None}, False),
    ],
)
def test_a_socket_without_a_word_is_mute(changes: dict[str, Any], mute: bool) -> None:
    for line in (socket(**changes, open=True), socket(**changes)):
        found = [sample.reason for sample in sampled(line)]
        assert ("mute" in found) == mute


def test_an_upgrade_that_failed_is_a_failure_or_a_refusal_and_never_mute() -> None:
    assert one(socket(status=503, ms=60_000.0, bytes_down=0)).reason == "5xx"
    refused = one(socket(status=404, ms=60_000.0, bytes_down=0))
    assert (refused.failure, refused.reason) == (Failure.REJECTED, None)


def test_a_client_that_left_a_socket_that_never_opened_was_failed_if_it_waited() -> None:
    assert one(socket(status=499, ms=5_000.0, bytes_up=0)).failure is None
    # Libraries give up after ten seconds, of which the gateway sees a little less.
    assert one(socket(status=499, ms=9_990.0, bytes_up=0)).reason == "left"


def test_a_socket_that_was_answered_by_something_else_was_refused() -> None:
    assert one(socket(status=200, chars=3)).failure is Failure.REJECTED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"close_code": 1000, "closed_by": "service"}, "mute"),
        ({"close_code": 1008, "closed_by": "service"}, "mute"),
        ({"close_code": 4012, "closed_by": "service"}, None),
        ({"close_code": 1000, "closed_by": "client"}, None),
        ({"close_code": 1000, "closed_by": "service", "frames_up": 0}, None),
        ({"close_code": 1000, "closed_by": "service", "frames_down": 1}, None),
    ],
)
def test_a_service_that_ends_a_socket_without_a_word_was_mute(changes: dict[str, Any], reason: str | None) -> None:
    assert one(socket(**({"ms": 40.0, "frames_up": 2, "frames_down": 0} | changes))).reason == reason


def lives(seconds: float, **changes: Any) -> list[Observation]:
    """The lines of a socket behind Envoy: one each ten seconds while it is open, and one at its end."""
    periodic = [socket(ms=10_000.0 * number + 7, open=True, **changes) for number in range(1, int(seconds // 10) + 1)]
    return [*periodic, socket(ms=seconds * 1000, **changes)]


@pytest.mark.parametrize("seconds", [0.5, 9.9, 10.5, 19.0, 25.0, 95.0])
def test_a_socket_counts_once_over_its_periodic_lines_and_its_end(seconds: float) -> None:
    found = sampled(*lives(seconds, frames_up=40, frames_down=3))
    assert sum(sample.counts for sample in found) == 1
    assert [sample.over for sample in found][-1]
    assert found[0].bands == (SOCKET_BAND,)


def test_a_socket_that_turns_bad_after_it_was_counted_mends_the_count() -> None:
    lines = lives(35.0, frames_up=40, frames_down=3)
    lines[-1] = lines[-1]._replace(close_code=1011, closed_by="service")
    assert [(sample.counts, sample.reason) for sample in sampled(*lines)] == [(True, None), (False, "close_1011")]
    mute = sampled(*lives(35.0, frames_up=40, frames_down=0))
    assert [sample.counts for sample in mute] == [True, False, False, False]
    assert {sample.reason for sample in mute} == {"mute"}


@pytest.mark.parametrize("seconds", [4.0, 12.0, 95.0])
def test_behind_nginx_a_socket_counts_at_its_end(seconds: float) -> None:
    assert one(socket(ms=seconds * 1000, bytes_down=5000)).counts


def test_the_time_to_the_first_message_is_a_sockets_latency() -> None:
    assert one(socket(first_message_ms=240.0, frames_up=3, frames_down=1)).latency_ms == 240.0
    assert one(socket(bytes_down=5000)).latency_ms is None


def test_of_versions_that_report_their_sockets_the_gateway_tells_only_what_never_opened() -> None:
    managed = ("v2",)
    assert sampled(*lives(35.0, frames_up=40, frames_down=0), socket(close_code=1011), managed=managed) == []
    assert one(socket(status=503), managed).failure is Failure.BAD
    assert one(socket(status=404), managed).failure is Failure.REJECTED
    # The others' sockets count as before, and recognitions are nobody's to report.
    assert one(socket(version="v1", served_by="v1", bytes_down=500), managed).counts
    assert one(observation(), managed).counts


@pytest.mark.parametrize("numbers", [(1,), (1, 2), (1, 2, 3, 4)])
def test_a_socket_counts_once_over_its_reports(numbers: tuple[int, ...]) -> None:
    told = tuple(
        report(number=number, ended=number == numbers[-1], time=100.0 + 10 * number, audio_seconds=10.0 * number)
        for number in numbers
    )
    found = sampled(reports=told, managed=("v2",))
    assert [sample.counts for sample in found] == [True, *[False] * (len(numbers) - 1)]
    # Each report tells all audio so far: only the last is added up.
    assert sum(sample.audio_ms for sample in found) == numbers[-1] * 10_000


def test_a_report_is_sampled_like_a_line() -> None:
    (sample,) = sampled(reports=(report(),), managed=("v2",))
    assert (sample.stage, sample.status_class, sample.rule, sample.unit, sample.peer, sample.time) == (
        "share:500", "1xx", "share", UNIT, PEER, 100.0,
    )  # fmt: skip
    assert (sample.latency_ms, sample.bands, sample.failure, sample.ms) == (250.0, (SOCKET_BAND,), None, 4000.0)
    assert sample.compared
    assert sample.socket


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"close_code": 1011, "closed_by": "service"}, "close_1011"),
        ({"close_code": 1006, "closed_by": "service"}, "close_1006"),
        ({"close_code": 1006, "closed_by": "client"}, None),
        ({"close_code": 4012, "closed_by": "service"}, None),
        ({"mute_speech_seconds": 11.0}, "mute"),
    ],
)
def test_what_an_instance_reports_of_bad_sockets_is_a_failure(changes: dict[str, Any], reason: str | None) -> None:
    (sample,) = sampled(reports=(report(**changes),), managed=("v2",))
    assert (sample.reason, sample.failure) == (reason, Failure.BAD if reason else None)
    assert sample.latency_ms == (None if reason else 250.0)


def test_a_report_of_whom_no_gateway_sent_is_not_compared() -> None:
    (sample,) = sampled(reports=(report(release_id=None, rule=None, share_bp=None),), managed=("v2",))
    assert (sample.compared, sample.release) == (False, None)


@pytest.mark.parametrize("rule", ["share", "included", None])
def test_a_report_that_names_no_user_is_left_out(rule: str | None) -> None:
    """Whoever reaches an instance's own port can say by header which release and rule it was, and no user."""
    assert sampled(reports=(report(rule=rule, unit=None),), managed=("v2",)) == []


def test_a_socket_of_a_version_that_the_gateway_watches_counts_once_although_it_reports_too() -> None:
    """`huidu serve` known by its URL, with the same data folder: its reports lie in the same store."""
    (sample,) = sampled(socket(frames_up=40, frames_down=4, first_message_ms=240.0), reports=(report(),))
    assert (sample.counts, sample.latency_ms) == (True, 240.0)


# ------------------------------------------------------------------ bands


@pytest.mark.parametrize(
    ("seconds", "band"),
    [(0.0, "s0"), (3.0, "s0"), (3.01, "s1"), (10.0, "s1"), (10.1, "s2"), (30.0, "s2"), (120.0, "s3"), (121.0, "s4")],
)
def test_a_band_of_seconds_holds_its_upper_edge(seconds: float, band: str) -> None:
    assert one(observation(audio_seconds=seconds)).bands == ("b0", band)
    as_bytes = round(seconds * 32_000)
    assert one(observation(audio_seconds=None, bytes_up=as_bytes)).bands == (band.replace("s", "b"),)


def test_where_nobody_knows_a_length_there_is_no_band() -> None:
    assert one(observation(audio_seconds=None, bytes_up=None)).bands == ()


@given(st.floats(0, 10_000), st.floats(0, 10_000))
def test_longer_audio_is_in_no_shorter_band(one_seconds: float, other_seconds: float) -> None:
    shorter, longer = sorted((one_seconds, other_seconds))
    bands = [one(observation(audio_seconds=seconds, bytes_up=None)).bands for seconds in (shorter, longer)]
    assert bands[0] <= bands[1]
    assert len(BANDS_SECONDS) == len(BANDS_BYTES)


kinds = st.sampled_from([RequestKind.RECOGNITION, RequestKind.SOCKET, RequestKind.OTHER])
maybe_ms = st.none() | st.floats(0, 4_000_000)
maybe_whole = st.none() | st.integers(0, 10**9)
anything = st.builds(
    observation,
    kind=kinds,
    status=st.sampled_from([0, 100, 101, 200, 204, 302, 400, 404, 408, 429, 499, 500, 503]),
    attempts=st.integers(0, 2),
    served_by=st.sampled_from(["v1", "v2", None]),
    ms=st.floats(0, 4_000_000),
    upload_ms=maybe_ms,
    service_ms=maybe_ms,
    audio_seconds=st.none() | st.floats(0, 7200),
    bytes_up=maybe_whole,
    bytes_down=maybe_whole,
    chars=maybe_whole,
    close_code=st.none() | st.integers(1000, 4999),
    closed_by=st.sampled_from(["client", "service", None]),
    first_message_ms=maybe_ms,
    frames_up=maybe_whole,
    frames_down=maybe_whole,
    open=st.booleans(),
)


@given(anything, st.sampled_from([(), ("v2",)]))
def test_whatever_a_line_says_is_sampled_once_or_not_at_all(seen: Observation, managed: tuple[str, ...]) -> None:
    found = sampled(seen, managed=managed)
    assert len(found) <= (seen.kind != RequestKind.OTHER)
    for sample in found:
        # Whoever is counted as failed had a reason, and its time is told only where it was late.
        assert (sample.reason is not None) == (sample.failure is Failure.BAD)
        assert sample.latency_ms is None or sample.reason in (None, "late")
        # What neither counts nor failed tells that a socket has ended well.
        assert sample.counts or sample.failure is not None or (sample.socket and sample.over)
        assert replace(sample, counts=True).socket == (seen.kind == RequestKind.SOCKET)


@given(anything)
def test_both_versions_are_judged_alike(seen: Observation) -> None:
    """What a line says does not depend on which of the versions it names."""
    served = {"v1": "v2", "v2": "v1", None: None}[seen.served_by]
    other = seen._replace(version="v1", served_by=served)
    assert [sample.reason for sample in sampled(seen)] == [sample.reason for sample in sampled(other)]
