from hypothesis import given
from hypothesis import strategies as st

from huidu.recognition.origin import Origin, origin_of

NAMES = [
    "x-request-id",
    "x-envoy-attempt-count",
    "x-huidu-attempt",
    "x-huidu-release",
    "x-huidu-rule",
    "x-huidu-unit",
    "x-huidu-peer",
    "x-huidu-share-bp",
    "x-huidu-purpose",
    "x-huidu-key-id",
]


def test_what_the_gateway_says_is_taken() -> None:
    headers = {
        "x-request-id": "0b9f-7",
        "x-envoy-attempt-count": "2",
        "x-huidu-release": "17",
        "x-huidu-rule": "share",
        "x-huidu-unit": "0123456789abcdef",
        "x-huidu-peer": "fedcba9876543210",
        "x-huidu-share-bp": "500",
        "x-huidu-purpose": "golden",
        "x-huidu-key-id": "h1-3f2a9c",
    }
    unit, peer = "0123456789abcdef", "fedcba9876543210"
    assert origin_of(headers, "new") == Origin("0b9f-7", 2, 17, "share", unit, peer, 500, "golden", "h1-3f2a9c")


def test_a_request_without_headers_is_live_and_gets_the_new_id() -> None:
    assert origin_of({}, "new") == Origin("new", 1, None, None, None, None, None, "live")


def test_both_names_of_the_attempt_are_known() -> None:
    assert origin_of({"x-huidu-attempt": "3"}, "new").attempt == 3
    assert origin_of({"x-huidu-attempt": "3", "x-envoy-attempt-count": "2"}, "new").attempt == 2
    assert origin_of({"x-huidu-attempt": "3", "x-envoy-attempt-count": "two"}, "new").attempt == 3


def test_a_probe_is_a_purpose_of_its_own() -> None:
    assert origin_of({"x-huidu-purpose": "probe"}, "new").purpose == "probe"


def test_a_share_of_zero_is_a_share_and_more_than_all_is_none() -> None:
    shares = [origin_of({"x-huidu-share-bp": text}, "new").share_bp for text in ("0", "10000", "10001", "", "-1")]
    assert shares == [0, 10_000, None, None, None]


def test_nobody_can_call_a_request_warming() -> None:
    assert origin_of({"x-huidu-purpose": "warming"}, "new").purpose == "live"


LATIN_1 = [chr(code) for code in range(256)]


@given(
    st.dictionaries(st.sampled_from(NAMES), st.text(LATIN_1, max_size=80) | st.text("0123456789abcdef", max_size=20))
)
def test_any_headers_give_an_origin_that_the_store_can_hold(headers: dict[str, str]) -> None:
    origin = origin_of(headers, "new")
    assert 1 <= len(origin.request_id) <= 64
    assert origin.request_id.isascii()
    assert 1 <= origin.attempt < 10**9
    assert origin.release_id is None or 1 <= origin.release_id < 10**9
    assert origin.rule is None or 1 <= len(origin.rule) <= 16
    assert origin.unit is None or (len(origin.unit) == 16 and int(origin.unit, 16) >= 0)
    assert origin.peer is None or (len(origin.peer) == 16 and int(origin.peer, 16) >= 0)
    assert origin.share_bp is None or 0 <= origin.share_bp <= 10_000
    assert origin.purpose in ("live", "golden", "probe")
    assert origin.key_id is None or len(origin.key_id) <= 16
