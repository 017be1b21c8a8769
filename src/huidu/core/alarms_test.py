import pytest

from huidu.core.alarms import SHARE_ENDS_SECONDS, Alarm, AlarmKind, ends_share


@pytest.mark.parametrize(
    ("seconds", "blinds", "ends"),
    [
        (SHARE_ENDS_SECONDS, True, True),
        (SHARE_ENDS_SECONDS - 0.1, True, False),
        (10 * SHARE_ENDS_SECONDS, False, False),
    ],
)
def test_the_share_ends_when_nothing_has_been_seen_for_long(seconds: float, blinds: bool, ends: bool) -> None:
    alarm = Alarm(AlarmKind.EVIDENCE_STALLED, seconds=seconds, blinds=blinds)
    assert ends_share((Alarm(AlarmKind.NO_TEXT, seconds=1e6), alarm)) == (alarm if ends else None)


def test_without_an_alarm_no_share_ends() -> None:
    assert ends_share(()) is None
