"""Verdicts in words, in English and Chinese. A verdict is stored as a code with numbers; this is how it reads."""

from collections.abc import Mapping

from huidu.core.plan import DEFAULT_GUARDS, Measure
from huidu.core.verdict import Code, State, Verdict

LANGUAGES = ("en", "zh")

_GUARDS: Mapping[str, Mapping[str, str]] = {
    "en": {
        "errors": "failed requests",
        "crashes": "crashes",
        "latency": "latency",
        "cer": "character errors",
        "numerals": "wrong numbers",
    },
    "zh": {
        "errors": "请求失败率",
        "crashes": "进程崩溃",
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
        Code.NO_EVIDENCE: "nothing measured on one side yet",
        Code.NOT_MEASURED: "not measured in this stage",
    },
    "zh": {
        Code.PROVEN_WORSE: "已证实变差",
        Code.PROVEN_WITHIN: "已证实在允许范围内",
        Code.CRASHED: "候选版本发生崩溃",
        Code.NO_CRASH: "崩溃次数不多于稳定版本",
        Code.NOT_YET: "尚无定论",
        Code.TOO_FEW_USERS: "有一方用户太少，无法判断",
        Code.NO_EVIDENCE: "有一方还没有数据",
        Code.NOT_MEASURED: "本阶段不测这一项",
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
        "fail_above": "rolled back when proven above {0}",
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
        "fail_above": "证实超过 {0} 即回滚",
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


_MISMATCH: Mapping[str, str] = {
    "en": "{0} of {1} users on the candidate ({2:.1f} %) where {3:g} % were meant, p {4:.1g}: "
    "the versions are not compared fairly, the stage does not go on by itself",
    "zh": "{1} 位用户中有 {0} 位分到候选版本（{2:.1f}%），应为 {3:g}%，p = {4:.1g}："
    "两边的对比不再公平，本阶段不会自动推进",
}


def mismatch_words(numbers: Mapping[str, float], language: str) -> str:
    """The alarm that users are not split as asked, as one line in `en` or `zh`. Raises `KeyError` for another."""
    candidate = numbers["candidate_units"]
    users = candidate + numbers["stable_units"]
    shares = (candidate / users * 100, numbers["share"] * 100)
    return _MISMATCH[language].format(f"{candidate:.0f}", f"{users:.0f}", *shares, numbers["p_value"])


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
