from hypothesis import given
from hypothesis import strategies as st

from huidu.core.audience import Audience, CookieRule, HeaderRule, Matcher, Request, Rule, decide
from huidu.core.routes import Routes, Upstream, from_json, rolled_back, to_json
from huidu.core.units import new_uid

_names = st.sampled_from(["huidu_uid", "tester", "optout", "other"])
_values = st.text(alphabet="abc123", max_size=3)
_matchers = st.one_of(
    st.builds(CookieRule, _names, st.none() | _values), st.builds(HeaderRule, st.sampled_from(["x-a", "x-b"]), _values)
)
requests = st.builds(
    Request,
    st.lists(st.tuples(_names, _values), max_size=4).map(tuple),
    st.lists(st.tuples(st.sampled_from(["x-a", "x-b"]), _values), max_size=2).map(tuple),
)
audiences = st.builds(Audience, st.lists(_matchers, max_size=2).map(tuple), st.lists(_matchers, max_size=2).map(tuple))
UPSTREAMS = (Upstream("v1", ("127.0.0.1:1",)), Upstream("v2", ("127.0.0.1:2", "[::1]:2"), True, "ca.pem", "/ok"))
serving = st.builds(
    Routes,
    generation=st.integers(1, 99),
    stable=st.just("v1"),
    upstreams=st.just(UPSTREAMS),
    release=st.integers(1, 9),
    candidate=st.just("v2"),
    share_bp=st.integers(0, 10_000),
    expires_at=st.none() | st.floats(0, 2000),
    audience=audiences,
)


@given(requests, serving, st.floats(0, 2000))
def test_rules_hold_in_their_order(request: Request, routes: Routes, now: float) -> None:
    decision = decide(request, routes, "secret", now, "new")
    cookies, headers = set(request.cookies), set(request.headers)

    def meant(rules: tuple[Matcher, ...]) -> bool:
        return any(
            (rule.name, rule.value) in headers
            if isinstance(rule, HeaderRule)
            else isinstance(rule, CookieRule)
            and any(name == rule.name and rule.value in (None, value) for name, value in cookies)
            for rule in rules
        )

    if meant(routes.audience.exclude):
        assert decision.rule is Rule.EXCLUDED
    elif meant(routes.audience.include):
        assert decision.rule is Rule.INCLUDED
    elif routes.expires_at is not None and now >= routes.expires_at:
        assert decision.rule is Rule.EXPIRED
    else:
        assert decision.rule is (Rule.SHARE if decision.bucket < routes.share_bp else Rule.REST)
    assert (decision.version == "v2") == (decision.rule in (Rule.INCLUDED, Rule.SHARE))


@given(st.text(min_size=1, max_size=20), st.integers(0, 10_000), st.integers(0, 10_000))
def test_who_got_the_candidate_still_has_it_at_a_larger_share(user: str, one: int, other: int) -> None:
    lower, upper = sorted((one, other))
    request = Request((("huidu_uid", user),))

    def version(share_bp: int) -> str:
        routes = Routes(1, "v1", UPSTREAMS, release=7, candidate="v2", share_bp=share_bp)
        return decide(request, routes, "s", 0.0, "new").version

    if version(lower) == "v2":
        assert version(upper) == "v2"


@given(requests, serving)
def test_a_first_contact_is_drawn_by_the_id_it_is_given(request: Request, routes: Routes) -> None:
    first = decide(Request(headers=request.headers), routes, "s", 0.0, "first")
    given = (("huidu_uid", new_uid("s", "first")),)
    again = decide(Request(given, request.headers), routes, "s", 0.0, "another")
    assert (first.bucket, first.unit) == (again.bucket, again.unit)
    assert (first.unit_kind, again.unit_kind) == ("new", "cookie")


@given(requests, serving)
def test_nobody_gets_the_candidate_after_a_roll_back(request: Request, routes: Routes) -> None:
    back = rolled_back(routes, routes.generation + 1)
    assert back is not None
    assert decide(request, back, "s", 0.0, "new").version == "v1"
    assert decide(request, back, "s", 0.0, "new").rule is Rule.NO_RELEASE


@given(serving)
def test_routes_read_back_as_they_were_written(routes: Routes) -> None:
    assert from_json(to_json(routes)) == routes


def test_going_back_after_a_promotion_leads_to_the_former_version_while_it_is_warm() -> None:
    promoted = Routes(5, "v2", UPSTREAMS, previous="v1")
    back = rolled_back(promoted, 6)
    assert back is not None
    assert (back.stable, back.previous, back.generation) == ("v1", None, 6)
    assert rolled_back(back, 7) is None
    assert rolled_back(Routes(5, "v2", UPSTREAMS[1:], previous="v1"), 6) is None
