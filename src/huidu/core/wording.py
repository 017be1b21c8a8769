"""Verdicts in words, in English and Chinese. A verdict is stored as a code with numbers; this is how it reads."""

from collections.abc import Mapping, Sequence

from huidu.core.alarms import Alarm, AlarmKind
from huidu.core.floors import Missing
from huidu.core.plan import DEFAULT_GUARDS, Measure
from huidu.core.verdict import Code, State, Verdict

LANGUAGES = ("en", "zh")

_GUARDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "errors": "failed requests",
        "crashes": "crashes",
        "rejects": "refused requests",
        "empty": "answers without a text",
        "latency": "latency",
        "cer": "character errors",
        "numerals": "wrong numbers",
    },
    "zh": {
        "errors": "请求失败率",
        "crashes": "进程崩溃",
        "rejects": "拒绝的请求",
        "empty": "没有文字的回答",
        "latency": "延迟",
        "cer": "字错误率",
        "numerals": "数字错误率",
    },
}

_SENTENCES: Mapping[str, Mapping[Code, str]] = {
    "en": {
        Code.PROVEN_WORSE: "proven worse",
        Code.PROVEN_WITHIN: "proven within the limit",
        Code.CRASHED: "the candidate crashed",
        Code.NO_CRASH: "no more crashes than the stable version",
        Code.NOT_YET: "not decided yet",
        Code.TOO_FEW_USERS: "too few users on one side to judge by",
        Code.TOO_FEW_PEERS: "worse, but only clients at one or two addresses had it",
        Code.NO_EVIDENCE: "nothing measured on one side yet",
        Code.NOT_MEASURED: "not measured in this stage",
        Code.NOT_SEEN: "not measured: nothing in this traffic shows it",
    },
    "zh": {
        Code.PROVEN_WORSE: "已证实变差",
        Code.PROVEN_WITHIN: "已证实在允许范围内",
        Code.CRASHED: "候选版本发生崩溃",
        Code.NO_CRASH: "崩溃次数不多于稳定版本",
        Code.NOT_YET: "尚无定论",
        Code.TOO_FEW_USERS: "有一方用户太少，无法判断",
        Code.TOO_FEW_PEERS: "变差，但只来自一两个客户端地址",
        Code.NO_EVIDENCE: "有一方还没有数据",
        Code.NOT_MEASURED: "本阶段不测这一项",
        Code.NOT_SEEN: "未测量：从这类流量里看不出来",
    },
}

_PHRASES: Mapping[str, Mapping[str, str]] = {
    "en": {
        "name": "{0}: {1}",
        "rates": "{0} against {1} on the stable version",
        "difference": "difference {0}",
        "ratio": "{0} of the stable version's",
        "between": "95 %: {0} to {1}",
        "excluded": "more than {0} worse: excluded at 95 %",
        "at_least": "95 %: at least {0}",
        "counts": "{0} against {1} crashes",
        "fail_above": "fails when proven above {0}",
        "at_most": "certified when proven under {0}",
        "requests": "{0} against {1} requests",
        "audio_seconds": "{0} against {1} s of audio",
        "units": "{0} against {1} users",
        "texts": "{0} against {1} texts with a reference",
        "utterances": "{0} utterances",
        "speakers": "{0} speakers",
        "comma": ", ",
        "stop": "; ",
    },
    "zh": {
        "name": "{0}：{1}",
        "rates": "候选 {0}，稳定 {1}",
        "difference": "相差 {0}",
        "ratio": "为稳定版本的 {0}",
        "between": "95% 区间 {0} 至 {1}",
        "excluded": "变差超过 {0} 的可能已按 95% 排除",
        "at_least": "95% 下限 {0}",
        "counts": "候选崩溃 {0} 次，稳定 {1} 次",
        "fail_above": "证实超过 {0} 即判为失败",
        "at_most": "证实低于 {0} 方可放行",
        "requests": "请求 {0} 对 {1} 个",
        "audio_seconds": "音频 {0} 对 {1} 秒",
        "units": "用户 {0} 对 {1} 位",
        "texts": "有参考文本 {0} 对 {1} 条",
        "utterances": "{0} 条语句",
        "speakers": "{0} 位说话人",
        "comma": "，",
        "stop": "；",
    },
}

_ARMS = ("requests", "audio_seconds", "units", "texts")
_MEASURES = {guard.name: guard.measure for guard in DEFAULT_GUARDS}


def words(verdict: Verdict, language: str) -> str:
    """A verdict as one line in `en` or `zh`: the guard, why, both versions, the interval, both limits, the evidence.

    What the verdict has no number for is left out. Raises `KeyError` for another language.
    """
    phrases = _PHRASES[language]
    head = phrases["name"].format(
        _GUARDS[language].get(verdict.guard, verdict.guard), _SENTENCES[language][verdict.code]
    )
    parts = [_found(verdict, phrases), _limits(verdict, phrases), _evidence(verdict, phrases)]
    return phrases["stop"].join([head, *(phrases["comma"].join(part) for part in parts if part)])


_ALARMS: Mapping[str, Mapping[AlarmKind, str]] = {
    "en": {
        AlarmKind.SAMPLE_RATIO_MISMATCH: "{candidate_units:.0f} of {users:.0f} users on the candidate "
        "({percent:.1f} %) where {wanted:g} % were meant, p {p_value:.1g}: the versions are not compared fairly, "
        "the stage does not go on by itself",
        AlarmKind.EVIDENCE_STALLED: "the gateway's evidence has stopped: {detail}; no step forward, and the share "
        "ends when that lasts",
        AlarmKind.NO_TEXT: "{detail} gave no text for a clip that the stable version has a text for, {probes:.0f} "
        "times in a row; no step forward",
        AlarmKind.UNREACHABLE: "{detail}; no step forward",
        AlarmKind.CLOCK_JUMPED: "the machine's clock has jumped by {seconds:+.0f} s; no step forward until it is "
        "steady",
        AlarmKind.SOURCE_UNREADABLE: "{detail}; no step forward while this cannot be seen",
        AlarmKind.STORE_UNWRITABLE: "what happens cannot be recorded: {detail}; no step forward until it can",
    },
    "zh": {
        AlarmKind.SAMPLE_RATIO_MISMATCH: "{users:.0f} 位用户中有 {candidate_units:.0f} 位分到候选版本"
        "（{percent:.1f}%），应为 {wanted:g}%，p = {p_value:.1g}：两边的对比不再公平，本阶段不会自动推进",
        AlarmKind.EVIDENCE_STALLED: "网关的证据中断：{detail}；暂停推进，持续下去将结束放量",
        AlarmKind.NO_TEXT: "{detail} 对稳定版本能识别的音频连续 {probes:.0f} 次没有给出文字；暂停推进",
        AlarmKind.UNREACHABLE: "{detail}；暂停推进",
        AlarmKind.CLOCK_JUMPED: "本机时钟跳变了 {seconds:+.0f} 秒；时钟稳定之前暂停推进",
        AlarmKind.SOURCE_UNREADABLE: "{detail}；看不到这项数据期间暂停推进",
        AlarmKind.STORE_UNWRITABLE: "运行情况无法记录：{detail}；恢复记录之前暂停推进",
    },
}


def alarm_words(alarm: Alarm, language: str) -> str:
    """An alarm as one line in `en` or `zh`. Raises `KeyError` for another language."""
    numbers = dict(alarm.numbers)
    if alarm.kind is AlarmKind.SAMPLE_RATIO_MISMATCH:
        users = numbers["candidate_units"] + numbers["stable_units"]
        numbers |= {"users": users, "percent": numbers["candidate_units"] / users * 100}
        numbers |= {"wanted": numbers["share"] * 100}
    return _ALARMS[language][alarm.kind].format(detail=alarm.detail, **numbers)


_MISSING: Mapping[str, Mapping[str, str]] = {
    "en": {
        "recognitions": "{have} of {need} recognitions",
        "users": "{have} of {need} users",
        "candidate": "candidate: {0}",
        "stable": "stable: {0}",
        "stop": "; ",
        "comma": ", ",
    },
    "zh": {
        "recognitions": "识别 {have}/{need} 次",
        "users": "用户 {have}/{need} 位",
        "candidate": "候选：{0}",
        "stable": "稳定：{0}",
        "stop": "；",
        "comma": "，",
    },
}


def missing_words(found: Sequence[Missing], language: str) -> str:
    """What a stage still waits for, as one line; empty where it is nothing. Raises `KeyError` for another language."""
    phrases = _MISSING[language]
    sides = []
    for side in ("candidate", "stable"):
        parts = [phrases[each.what].format(have=each.have, need=each.need) for each in found if each.side == side]
        if parts:
            sides.append(phrases[side].format(phrases["comma"].join(parts)))
    return phrases["stop"].join(sides)


_NOTES: Mapping[str, str] = {
    "en": "{0:.0f} % of the {1}'s recognitions come from one client address: normal for a recorder, or for users "
    "behind one proxy",
    "zh": "{1}的识别中有 {0:.0f}% 来自同一个客户端地址：录音系统或同一代理后的用户属于正常情况",
}
_SIDES: Mapping[str, Mapping[str, str]] = {
    "en": {"candidate": "candidate", "stable": "stable version"},
    "zh": {"candidate": "候选版本", "stable": "稳定版本"},
}


def one_peer_words(part: float, side: str, language: str) -> str:
    """The note that most of a side's evidence comes from one address. Raises `KeyError` for another language."""
    return _NOTES[language].format(part * 100, _SIDES[language][side])


def _found(verdict: Verdict, phrases: Mapping[str, str]) -> list[str]:
    numbers, parts = verdict.numbers, []
    measure = _MEASURES.get(verdict.guard, Measure.DIFFERENCE)
    if "candidate_crashes" in numbers:
        parts.append(_say(phrases["counts"], numbers, "candidate_crashes", "stable_crashes"))
    if "candidate_rate" in numbers and "stable_rate" in numbers:
        rates = (f"{numbers[name] * 100:.1f}%" for name in ("candidate_rate", "stable_rate"))
        parts.append(phrases["rates"].format(*rates))
    if measure is not Measure.COUNT and "estimate" in numbers:
        key = "ratio" if measure is Measure.RATIO else "difference"
        parts.append(phrases[key].format(_amount(measure, numbers["estimate"])))
    return parts + _interval(verdict, measure, phrases)


def _interval(verdict: Verdict, measure: Measure, phrases: Mapping[str, str]) -> list[str]:
    numbers = verdict.numbers
    bounds = {name: _amount(measure, numbers[name]) for name in ("lower", "upper") if name in numbers}
    if len(bounds) == 2:
        between = phrases["between"].format(bounds["lower"], bounds["upper"])
        open_still = verdict.state is State.UNDECIDED and measure is Measure.DIFFERENCE and numbers["upper"] > 0
        return [between, phrases["excluded"].format(bounds["upper"])] if open_still else [between]
    if "upper" in bounds:
        return [phrases["excluded"].format(bounds["upper"])]
    return [phrases["at_least"].format(bounds["lower"])] if bounds else []


def _limits(verdict: Verdict, phrases: Mapping[str, str]) -> list[str]:
    measure = _MEASURES.get(verdict.guard, Measure.DIFFERENCE)
    named = [name for name in ("fail_above", "at_most") if name in verdict.numbers]
    return [phrases[name].format(_amount(measure, verdict.numbers[name])) for name in named]


def _evidence(verdict: Verdict, phrases: Mapping[str, str]) -> list[str]:
    numbers = verdict.numbers
    arms = [kind for kind in _ARMS if f"candidate_{kind}" in numbers]
    parts = [_say(phrases[kind], numbers, f"candidate_{kind}", f"stable_{kind}") for kind in arms]
    return parts + [_say(phrases[kind], numbers, kind) for kind in ("utterances", "speakers") if kind in numbers]


def _say(phrase: str, numbers: Mapping[str, float], *names: str) -> str:
    return phrase.format(*(f"{numbers[name]:.0f}" for name in names))


def _amount(measure: Measure, value: float) -> str:
    """A difference in percentage points, a ratio as a factor, a count as it is."""
    if measure is Measure.RATIO:
        return f"{value:.2f}x"
    return f"{value * 100:+.1f}pp" if measure is Measure.DIFFERENCE else f"{value:g}"
