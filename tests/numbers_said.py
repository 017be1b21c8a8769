"""Numbers of all kinds, each as people say it and as it is written, made by a speller that knows nothing of Huidu's.

`KINDS` are the Chinese ones and `ENGLISH` the English ones: functions from a source of chance to a `Number`. Every form
of a number means the same, whichever of them stands in the reference.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

FIGURES = "零一二三四五六七八九"


@dataclass(frozen=True)
class Number:
    """One number, or the two of a range, with the words that it cannot be without."""

    spoken: tuple[str, ...]
    written: tuple[str, ...]

    @property
    def forms(self) -> tuple[str, ...]:
        return self.spoken + self.written


Kind = Callable[[Random], Number]


def say(value: int) -> str:
    """An independent reader: groups of four digits from the left, zeros dropped by the rules of the schoolbook."""
    if value == 0:
        return "零"
    text = str(value)
    groups = [text[max(0, end - 4) : end] for end in range(len(text), 0, -4)][::-1]
    said = ""
    for place, group in zip(range(len(groups) - 1, -1, -1), groups, strict=True):
        body = ""
        for unit, figure in zip(["千", "百", "十", ""][-len(group) :], group, strict=True):
            body += FIGURES[int(figure)] + unit if figure != "0" else "零"
        while "零零" in body:
            body = body.replace("零零", "零")
        body = body.rstrip("零").replace("二千", "两千").replace("二百", "两百")
        scale = ["", "万", "亿", "万"][place]
        if body:
            said += ("两" if body == "二" and scale else body) + scale
        if place == 2 and "亿" not in said:
            said += "亿"
    return said[1:] if said.startswith("一十") else said


def figures(text: str) -> str:
    return "".join(FIGURES[int(figure)] for figure in text)


def counted(value: int) -> str:
    """As it is said before a unit: 两 for a lone two."""
    return "两" if value == 2 else say(value)


def thousands(value: int) -> str:
    return f"{value:,}"


def some_value(rng: Random, lowest: int = 0) -> int:
    """Small ones as often as large ones, some of them round."""
    top: int = 10 ** rng.randint(1, 12)
    ten: int = 10 ** rng.randint(1, 8)
    value = lowest + rng.randrange(top)
    return value - value % ten if value >= ten + lowest and rng.random() < 0.3 else value


def digits(rng: Random, length: int) -> str:
    return "".join(rng.choice("0123456789") for _ in range(length))


def decimals(rng: Random, most: int = 3) -> str:
    """Digits behind a point that do not end in a zero."""
    return digits(rng, rng.randint(0, most - 1)) + rng.choice("123456789")


def prefixed(prefix: str, forms: Sequence[str]) -> tuple[str, ...]:
    return tuple(prefix + form for form in forms)


# ------------------------------------------------------------------ Chinese

# Each with how it is written behind digits. 米 and 克 are not among them: 两千克 is 2 kg or 2000 g.
UNITS = {
    "元": ("元", "块"), "美元": ("美元",), "欧元": ("欧元",), "公里": ("公里", "km"), "公斤": ("公斤", "kg"),
    "厘米": ("厘米", "cm"), "岁": ("岁",), "分钟": ("分钟",), "小时": ("小时",), "平方米": ("平方米", "㎡", "m²"),
    "个人": ("个人",), "次": ("次",), "天": ("天",), "吨": ("吨",), "度": ("度", "°"), "摄氏度": ("摄氏度", "℃"),
    "倍": ("倍",), "毫秒": ("毫秒", "ms"),
}  # fmt: skip
SIGNS = {"元": "¥", "美元": "$", "欧元": "€"}


def quantity(rng: Random) -> Number:
    value, unit = some_value(rng, 1), rng.choice(list(UNITS))
    value += value == 1 and unit == "度"  # 一度 is "once" as well
    written = [f"{value}{also}" for also in UNITS[unit]]
    if value > 999:
        written.append(thousands(value) + unit)
    if unit in SIGNS:
        written.append(f"{SIGNS[unit]}{value}")
    if value % 10_000 == 0:
        written.append(f"{value // 10_000}万{unit}")
    return Number((counted(value) + unit,), tuple(written))


def bare(rng: Random) -> Number:
    value = some_value(rng, 11)
    return Number((say(value),), (str(value), thousands(value)))


def short(rng: Random) -> Number:
    """The last scale left away: 一百五 is 150."""
    first, tail, (scale, ten) = (
        rng.randint(1, 9),
        rng.randint(1, 9),
        rng.choice([("百", 100), ("千", 1000), ("万", 10_000)]),
    )
    value = first * ten + tail * ten // 10
    written = [str(value)] + ([f"{first}.{tail}万"] if scale == "万" else [])
    return Number((counted(first) + scale + FIGURES[tail],), tuple(written))


def decimal(rng: Random) -> Number:
    value, tail = some_value(rng) % 10**6, decimals(rng)
    unit = rng.choice(["", "元", "公里", "倍", "公斤", "个百分点", "平方米"])
    return Number((f"{say(value)}点{figures(tail)}{unit}",), (f"{value}.{tail}{unit}",))


def scaled(rng: Random) -> Number:
    value, tail, scale = rng.randint(1, 999), decimals(rng, 2), rng.choice(["万", "亿"])
    zeros = 4 if scale == "万" else 8
    whole = f"{value}{tail}" + "0" * (zeros - len(tail))
    return Number((f"{say(value)}点{figures(tail)}{scale}元",), (f"{value}.{tail}{scale}元", whole + "元", f"¥{whole}"))


def percent(rng: Random) -> Number:
    value, tail = rng.randint(0, 120), rng.choice(["", decimals(rng, 2)])
    minus, dash = rng.choice([("", ""), ("", ""), ("负", "-")])
    name, sign = rng.choice([("百", "%"), ("千", "‰")])
    said = say(value) + ("点" + figures(tail) if tail else "")
    shown = f"{value}.{tail}" if tail else str(value)
    written = [f"{dash}{shown}{sign}", f"{dash}{shown} {sign}"]
    if sign == "%":
        written.append(f"{dash}{shown}％")
    return Number((f"{minus}{name}分之{said}",), tuple(written))


def clock(rng: Random) -> Number:
    hour, minute = rng.randint(0, 23), rng.randint(1, 59)
    exact = say(minute) if minute > 9 else "零" + FIGURES[minute]
    spoken = [f"{counted(hour)}点{exact}分", f"{counted(hour)}点{exact}"]
    if minute in (15, 45):
        spoken.append(f"{counted(hour)}点{'一' if minute == 15 else '三'}刻")
    if minute == 30:
        spoken.append(f"{counted(hour)}点半")
    written = (f"{hour}:{minute:02d}", f"{hour:02d}:{minute:02d}", f"{hour}：{minute:02d}", f"{hour}点{minute:02d}分")
    part = rng.choice(["上午", "下午", "今晚", "明天"])
    return Number(prefixed(part, spoken), prefixed(part, written))


def seconds(rng: Random) -> Number:
    hour, minute, second = rng.randint(0, 23), rng.randint(10, 59), rng.randint(10, 59)
    spoken = f"{counted(hour)}点{say(minute)}分{say(second)}秒"
    return Number((spoken,), (f"{hour}:{minute}:{second}", f"{hour}点{minute}分{second}秒"))


def date(rng: Random) -> Number:
    year, month, day = rng.randint(1900, 2099), rng.randint(1, 12), rng.randint(1, 31)
    spoken = f"{figures(str(year))}年{say(month)}月{say(day)}"
    written = (
        f"{year}年{month}月{day}日", f"{year}年{month:02d}月{day:02d}日", f"{year}-{month:02d}-{day:02d}",
        f"{year}/{month}/{day}", f"{year}.{month}.{day}",
    )  # fmt: skip
    return Number((spoken + "日", spoken + "号"), written)


def day(rng: Random) -> Number:
    month, day = rng.randint(1, 12), rng.randint(1, 31)
    unit = rng.choice("日号")
    return Number((f"{say(month)}月{say(day)}{unit}",), (f"{month}月{day}{unit}", f"{month:02d}月{day:02d}{unit}"))


def year(rng: Random) -> Number:
    year = rng.randint(1900, 2099)
    tail = f"{year % 100:02d}"
    full = Number((figures(str(year)) + "年",), (f"{year}年",))
    return rng.choice([full, Number((figures(tail) + "年",), (tail + "年",))])


def money(rng: Random) -> Number:
    value, dime, cent = rng.randint(1, 999), rng.randint(1, 9), rng.randint(1, 9)
    said = counted(value)
    if rng.random() < 0.5:
        spoken = (f"{said}块{FIGURES[dime]}", f"{said}块{FIGURES[dime]}毛", f"{said}元{FIGURES[dime]}角")
        return Number(spoken, (f"{value}.{dime}元", f"{value}块{dime}", f"¥{value}.{dime}", f"￥{value}.{dime}0"))
    spoken = (f"{said}块{FIGURES[dime]}毛{FIGURES[cent]}", f"{said}元{FIGURES[dime]}角{FIGURES[cent]}分")
    return Number(spoken, (f"{value}.{dime}{cent}元", f"¥{value}.{dime}{cent}"))


def dollars(rng: Random) -> Number:
    value, cents = rng.randint(1, 999), rng.randint(11, 99)
    if rng.random() < 0.5:
        return Number((f"{counted(value)}美元",), (f"${value}", f"{value}美元", f"${value}.00"))
    cents += cents % 10 == 0
    return Number((f"{counted(value)}美元{say(cents)}美分",), (f"${value}.{cents}", f"{value}.{cents}美元"))


def mobile(rng: Random) -> Number:
    number = "1" + rng.choice("3456789") + digits(rng, 9)
    groups = (number[:3], number[3:7], number[7:])
    said = figures(number)
    # Some punctuate what is read out in groups.
    spoken = (said, said.replace("一", "幺"), "，".join(figures(group) for group in groups))
    prefix = rng.choice(["电话是", "请拨打", "手机号"])
    return Number(prefixed(prefix, spoken), prefixed(prefix, (number, "-".join(groups), " ".join(groups))))


def mobile_abroad(rng: Random) -> Number:
    number = "1" + rng.choice("3456789") + digits(rng, 9)
    grouped = f"{number[:3]} {number[3:7]} {number[7:]}"
    spoken = (f"电话是加八六{figures(number)}", f"电话是八六{figures(number)}")
    written = (f"+86{number}", f"+86 {grouped}", f"+86 {number}", f"86 {grouped}", f"86{number}")
    return Number(spoken, prefixed("电话是", written))


def landline(rng: Random) -> Number:
    area, number = rng.choice(["010", "0571", "021"]), rng.choice("2345678") + digits(rng, 7)
    return Number(
        (f"电话{figures(area + number)}",), (f"电话{area}-{number}", f"电话{area}{number}", f"电话({area}){number}")
    )


def hotline(rng: Random) -> Number:
    number = rng.choice(["400", "800"]) + digits(rng, 7)
    split = f"{number[:3]}-{number[3:6]}-{number[6:]}"
    return Number((f"热线{figures(number)}",), (f"热线{number}", f"热线{split}"))


def code(rng: Random) -> Number:
    text = digits(rng, rng.choice([3, 4, 6, 8, 18]))
    prefix = rng.choice(["验证码", "订单号是", "工号", "密码是", "尾号"])
    return Number((prefix + figures(text),), (prefix + text,))


def radio(rng: Random) -> Number:
    """洞幺拐勾, as pilots and soldiers read digits."""
    text = digits(rng, rng.randint(4, 8))
    said = "".join({"0": "洞", "1": "幺", "7": "拐", "9": "勾"}.get(each, FIGURES[int(each)]) for each in text)
    return Number((f"编号{said}",), (f"编号{text}",))


def fraction(rng: Random) -> Number:
    below = rng.choice([2, 3, 4, 5, 7, 8, 10, 12, 16, 20])
    above, minus, dash = rng.randint(1, 9), *rng.choice([("", ""), ("负", "-")])
    return Number((f"{minus}{say(below)}分之{say(above)}",), (f"{dash}{above}/{below}",))


def ratio(rng: Random) -> Number:
    left, right = rng.randint(0, 120), rng.randint(0, 120)
    return Number(
        (f"比分{say(left)}比{say(right)}",), (f"比分{left}:{right}", f"比分{left}：{right}", f"比分{left}比{right}")
    )


def version(rng: Random) -> Number:
    parts = [rng.randint(0, 19) for _ in range(rng.choice([2, 3, 4]))]
    name = rng.choice(["版本", "Python ", "CUDA "])
    said = ["点".join(map(say, parts))]
    if len(parts) == 2:
        said.append(f"{say(parts[0])}点{figures(str(parts[1]))}")
    return Number(prefixed(name, said), (name + ".".join(map(str, parts)),))


def address(rng: Random) -> Number:
    parts = [str(rng.randint(0, 255)) for _ in range(4)]
    said = ("点".join(map(figures, parts)), "点".join(map(say, map(int, parts))))
    return Number(prefixed("地址是", said), ("地址是" + ".".join(parts),))


def ordinal(rng: Random) -> Number:
    value, unit = rng.randint(1, 300), rng.choice(["季度", "章", "页", "次", "名", "届"])
    return Number((f"第{say(value)}{unit}",), (f"第{value}{unit}", f"第 {value} {unit}"))


def negative(rng: Random) -> Number:
    value, tail = rng.randint(1, 300), decimals(rng, 2)
    degrees = Number((f"零下{say(value)}度", f"负{say(value)}度"), (f"-{value}度", f"−{value}度", f"零下{value}度"))
    plain = Number((f"负{say(value)}点{figures(tail)}", f"负的{say(value)}点{figures(tail)}"), (f"-{value}.{tail}",))
    return rng.choice([degrees, plain])


RANGE_SIGNS = ("-", "~", "—", "–", "～", "到", "至")


def ends(rng: Random, top: int) -> tuple[int, int]:
    low = rng.randint(1, top - 1)
    return low, rng.randint(low + 1, top)


def spans(low: str, high: str, unit: str, twice: bool = False) -> tuple[str, ...]:
    """Both ends with each of the signs, the unit behind the last one or behind both."""
    behind = unit if twice else ""
    return tuple(f"{low}{behind}{sign}{high}{unit}" for sign in RANGE_SIGNS)


def range_of(rng: Random) -> Number:
    (low, high), unit = ends(rng, 99), rng.choice(["元", "岁", "个人", "公里", "次", "分钟", "天", "度"])
    low += low == 1 and unit == "度"
    high += high == low
    spoken = [f"{counted(low)}{sign}{counted(high)}{unit}" for sign in "到至"]
    spoken += [f"{counted(low)}{unit}到{counted(high)}{unit}"]
    written = spans(str(low), str(high), unit) + spans(str(low), str(high), unit, twice=True)
    return Number(tuple(spoken), written)


def range_of_percents(rng: Random) -> Number:
    low, high = ends(rng, 99)
    spoken = (f"百分之{say(low)}到{say(high)}", f"百分之{say(low)}到百分之{say(high)}")
    return Number(spoken, spans(str(low), str(high), "%") + spans(str(low), str(high), "%", twice=True))


def range_in_time(rng: Random) -> Number:
    unit, top = rng.choice([("月", 12), ("点", 23)])
    low, high = ends(rng, top)
    spoken = (f"{counted(low) if unit == '点' else say(low)}{unit}到{say(high)}{unit}",)
    if rng.random() < 0.3:
        begin = rng.randint(1950, 2020)
        end = begin + rng.randint(1, 30)
        return Number(
            (f"{figures(str(begin))}年到{figures(str(end))}年",), spans(str(begin), str(end), "年", twice=True)
        )
    return Number(spoken, spans(str(low), str(high), unit, twice=True))


def about(rng: Random) -> Number:
    """两三百: two neighbours that stand for about."""
    low = rng.randint(1, 8)
    name, ten = rng.choice([("", 1), ("十", 10), ("百", 100), ("千", 1000), ("万", 10_000), ("十万", 100_000)])
    unit = rng.choice(["个人", "块钱", "公里", "天"])
    first, second = (FIGURES[each] for each in (low, low + 1))
    spoken = {f"{first}{second}{name}{unit}"}
    if ten != 10:
        spoken |= {form.replace("二", "两") for form in spoken}
    if low == 1 and ten == 1:
        spoken.discard(f"一二{unit}")  # nobody says so
    signs = RANGE_SIGNS[:3] + RANGE_SIGNS[5:6]
    return Number(tuple(sorted(spoken)), tuple(f"{low * ten}{sign}{(low + 1) * ten}{unit}" for sign in signs))


def about_ones(rng: Random) -> Number:
    """十七八岁: the tens are said once."""
    tens, low, unit = rng.randint(1, 9), rng.randint(1, 8), rng.choice(["岁", "个人", "天"])
    first, second = 10 * tens + low, 10 * tens + low + 1
    spoken = f"{say(first)}{FIGURES[low + 1]}{unit}"
    return Number((spoken,), tuple(f"{first}{sign}{second}{unit}" for sign in "-~到"))


def plate(rng: Random) -> Number:
    place = rng.choice(["京A", "粤B", "沪D"])
    number = digits(rng, 5)
    said = figures(number)
    return Number((place + said, place + said.replace("一", "幺")), (place + number, f"{place} {number}"))


def train(rng: Random) -> Number:
    letter, number = rng.choice("GDKZ"), str(rng.randint(10, 9999))
    return Number((f"坐{letter}{figures(number)}去",), (f"坐{letter}{number}去", f"坐 {letter} {number} 去"))


def model_name(rng: Random) -> Number:
    name, value = rng.choice(["iPhone", "Windows", "Mate"]), rng.randint(3, 99)
    return Number((name + say(value),), (f"{name}{value}", f"{name} {value}"))


def sum_of(rng: Random) -> Number:
    left, right = rng.randint(11, 99), rng.randint(11, 99)
    spoken = f"{say(left)}加{say(right)}等于{say(left + right)}"
    return Number((spoken,), (f"{left}+{right}={left + right}", f"{left} + {right} = {left + right}"))


def single(rng: Random) -> Number:
    """A doubtful single digit: it satisfies, and is not counted itself. 三星 is a firm as well."""
    value = rng.randint(4, 9)
    places = [("", "星酒店"), ("第", "天"), ("", "年级"), ("", "单元"), ("请按", "键"), ("选项", "是对的")]
    before, behind = rng.choice(places)
    return Number((before + FIGURES[value] + behind,), (f"{before}{value}{behind}",))


def formal(rng: Random) -> Number:
    value = rng.randint(1, 99_999)
    said = say(value).translate(str.maketrans("一二两三四五六七八九十百千", "壹贰贰叁肆伍陆柒捌玖拾佰仟"))
    said = "壹" + said if said.startswith("拾") else said
    return Number((f"金额{said}元整",), (f"金额{value}元整",))


def letters_scaled(rng: Random) -> Number:
    value, (name, letter, ten) = rng.randint(1, 300), rng.choice([("万", "w", 10_000), ("千", "k", 1000)])
    value = value % 9 + 1 if name == "千" else value
    return Number((f"{counted(value)}{name}块",), (f"{value}{letter}块", f"{value * ten}块"))


def half(rng: Random) -> Number:
    value, unit = rng.randint(1, 9), rng.choice(["小时", "月"])
    return Number((f"{counted(value)}个半{unit}",), (f"{value}.5个{unit}", f"{value}个半{unit}"))


KINDS: list[Kind] = [
    quantity, quantity, bare, short, decimal, scaled, percent, clock, seconds, date, day, year, money, dollars, mobile,
    mobile_abroad, landline, hotline, code, radio, fraction, ratio, version, address, ordinal, negative, range_of,
    range_of_percents, range_in_time, about, about_ones, plate, train, model_name, sum_of, single, formal,
    letters_scaled, half,
]  # fmt: skip

# ------------------------------------------------------------------ English

SMALL = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
]  # fmt: skip
TENS = ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
IRREGULAR = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}  # fmt: skip
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "December"]


def say_english(value: int, link: str = " ") -> str:
    """As spelled in school; `link` stands between hundreds and what follows, " and " in Britain."""
    for ten, name in ((10**9, "billion"), (10**6, "million"), (1000, "thousand")):
        if value >= ten:
            rest = value % ten
            tail = (link if rest < 100 else " ") + say_english(rest, link) if rest else ""
            return f"{say_english(value // ten, link)} {name}{tail}"
    if value >= 100:
        tail = link + say_english(value % 100) if value % 100 else ""
        return f"{SMALL[value // 100]} hundred{tail}"
    if value < 20:
        return SMALL[value]
    return TENS[value // 10] + (" " + SMALL[value % 10] if value % 10 else "")


def ordinal_english(value: int) -> str:
    *front, last = say_english(value).split()
    if last not in IRREGULAR:
        last = last[:-1] + "ieth" if last.endswith("y") else last + "th"
    return " ".join([*front, IRREGULAR.get(last, last)])


def suffixed(value: int) -> str:
    ending = "th" if 10 < value % 100 < 14 else {1: "st", 2: "nd", 3: "rd"}.get(value % 10, "th")
    return f"{value}{ending}"


def spelled(text: str, zero: str = "zero") -> str:
    return " ".join(zero if each == "0" else SMALL[int(each)] for each in text)


def pairs_of_year(value: int) -> str:
    """nineteen oh five, twenty twenty five."""
    front, back = divmod(value, 100)
    if back < 10:
        return f"{say_english(front)} oh {SMALL[back]}" if back else f"{say_english(front)} hundred"
    return f"{say_english(front)} {say_english(back)}"


def english_quantity(rng: Random) -> Number:
    value, unit = 2 + some_value(rng) % 10**10, rng.choice(["apples", "meters", "people", "kilograms"])
    spoken = (f"{say_english(value)} {unit}", f"{say_english(value, ' and ')} {unit}")
    return Number(spoken, (f"{value} {unit}", f"{thousands(value)} {unit}"))


def english_decimal(rng: Random) -> Number:
    value, tail = rng.randint(0, 999), decimals(rng)
    spoken = [f"{say_english(value)} point {spelled(tail, zero)}" for zero in ("zero", "oh")]
    return Number(tuple(spoken), (f"{value}.{tail}",))


def english_scaled(rng: Random) -> Number:
    value, tail, (name, ten) = (
        rng.randint(1, 99),
        rng.randint(1, 9),
        rng.choice([("million", 10**6), ("billion", 10**9)]),
    )
    whole = value * ten + tail * ten // 10
    return Number(
        (f"{say_english(value)} point {SMALL[tail]} {name}",), (f"{value}.{tail} {name}", str(whole), thousands(whole))
    )


def english_percent(rng: Random) -> Number:
    value = rng.randint(2, 100)
    return Number(
        (f"{say_english(value)} percent", f"{say_english(value)} per cent"),
        (f"{value}%", f"{value} %", f"{value} percent"),
    )


def english_dollars(rng: Random) -> Number:
    value, cents = rng.randint(2, 9999), rng.randint(11, 99)
    if rng.random() < 0.5:
        return Number((f"{say_english(value)} dollars",), (f"${value}", f"${thousands(value)}", f"{value} dollars"))
    said = f"{say_english(value)} dollars and {say_english(cents)} cents"
    return Number((said,), (f"${value}.{cents}", f"${value:,}.{cents}"))


def english_clock(rng: Random) -> Number:
    hour, minute, half_of_day = rng.randint(1, 12), rng.randint(1, 59), rng.choice(["am", "pm"])
    said = say_english(minute) if minute > 9 else f"oh {SMALL[minute]}"
    spoken = (f"at {SMALL[hour]} {said} {half_of_day}",)
    return Number(spoken, (f"at {hour}:{minute:02d} {half_of_day}", f"at {hour}:{minute:02d} {half_of_day.upper()}"))


def english_date(rng: Random) -> Number:
    month, day, year = rng.choice(MONTHS), rng.randint(1, 31), rng.randint(1810, 1999)
    spoken = (
        f"{month} {ordinal_english(day)} {pairs_of_year(year)}",
        f"the {ordinal_english(day)} of {month} {pairs_of_year(year)}",
    )
    return Number(spoken, (f"{month} {day}, {year}", f"{month} {suffixed(day)} {year}", f"{day} {month} {year}"))


def english_code(rng: Random) -> Number:
    text = digits(rng, rng.choice([4, 6, 10]))
    doubled = re.sub(r"\b(\w+) \1\b", r"double \1", spelled(text, "oh"))
    return Number(prefixed("code ", [spelled(text), spelled(text, "oh"), doubled]), (f"code {text}",))


def english_ordinal(rng: Random) -> Number:
    value = rng.randint(10, 999)
    return Number((f"the {ordinal_english(value)} time",), (f"the {suffixed(value)} time",))


def english_fraction(rng: Random) -> Number:
    below, above = rng.choice([3, 5, 7, 8, 9]), rng.randint(2, 9)
    return Number((f"{SMALL[above]} {ordinal_english(below)}s",), (f"{above}/{below}",))


def english_negative(rng: Random) -> Number:
    value = rng.randint(2, 999)
    return Number(
        (f"minus {say_english(value)} degrees", f"negative {say_english(value)} degrees"), (f"-{value} degrees",)
    )


def english_year(rng: Random) -> Number:
    value = rng.randint(1801, 1999)
    return Number((f"in {pairs_of_year(value)}",), (f"in {value}",))


ENGLISH: list[Kind] = [
    english_quantity, english_decimal, english_scaled, english_percent, english_dollars, english_clock, english_date,
    english_code, english_ordinal, english_fraction, english_negative, english_year,
]  # fmt: skip
