"""Sentences of a Chinese call centre and meeting room, drawn from a seeded grammar.

A sentence is a template whose slots are filled at random. Long numbers are said in groups,
as people say them; a space in :attr:`Sentence.spoken` marks the short pause between groups.
Templates hold no number characters of their own next to a slot, so that each run of number
characters in a text is exactly one spoken number.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from numbers_zh import DIGITS, cardinal

Draw = Callable[[random.Random], str]

CATEGORIES = ("digits", "amounts", "dates", "times", "products", "plain")

# Digit strings are what the regression of v2 is about, so they get two fifths of every part.
SHARES: Mapping[str, float] = {
    "digits": 0.40,
    "amounts": 0.12,
    "dates": 0.12,
    "times": 0.12,
    "products": 0.12,
    "plain": 0.12,
}

MIN_CHARACTERS, MAX_CHARACTERS = 8, 19


@dataclass(frozen=True, slots=True)
class Sentence:
    """What is said (spaces mark pauses inside a number) and the kind of sentence it is."""

    spoken: str
    category: str

    @property
    def text(self) -> str:
        """The reference text: what is said, without the marks of pauses."""
        return self.spoken.replace(" ", "")


PRODUCTS = (
    "灵犀会议",
    "云帆套餐",
    "青鸾宽带",
    "星桥专线",
    "飞鹭电视",
    "暖阳计划",
    "墨竹文档",
    "晨曦音箱",
    "海棠会员",
    "麒麟主机",
    "流光相册",
    "松果钱包",
)

SERVICE_NUMBERS = (
    "10086",
    "10010",
    "10000",
    "95588",
    "95599",
    "95533",
    "95566",
    "95555",
    "95511",
    "95500",
    "12306",
    "12345",
    "12315",
    "12366",
    "11185",
    "10099",
    "95338",
    "95522",
    "96110",
    "114",
    "110",
    "119",
    "120",
    "122",
)

MOBILE_PREFIXES = ("130", "133", "136", "138", "139", "150", "155", "166", "177", "180", "188", "199")


def spell(digits: str) -> str:
    """Read digits one by one: ``10086`` is 一零零八六; spaces stay."""
    return "".join(" " if d == " " else DIGITS[int(d)] for d in digits)


def draw_digits(rng: random.Random, count: int) -> str:
    """Draw `count` digits; three times in ten a digit repeats the one before it."""
    digits = str(rng.randrange(10))
    while len(digits) < count:
        digits += digits[-1] if rng.random() < 0.3 else str(rng.randrange(10))
    return digits


def _service(rng: random.Random) -> str:
    kind = rng.random()
    if kind < 0.35:
        return spell(rng.choice(SERVICE_NUMBERS))
    if kind < 0.6:
        return spell("95" + draw_digits(rng, 3))
    if kind < 0.8:
        return spell("1" + draw_digits(rng, 4))
    return spell(f"400 {draw_digits(rng, 3)} {draw_digits(rng, 4)}")


def _mobile(rng: random.Random) -> str:
    return spell(f"{rng.choice(MOBILE_PREFIXES)} {draw_digits(rng, 4)} {draw_digits(rng, 4)}")


def _groups(*counts: int) -> Draw:
    def draw(rng: random.Random) -> str:
        return spell(" ".join(draw_digits(rng, count) for count in counts))

    return draw


def _either(*draws: Draw) -> Draw:
    return lambda rng: rng.choice(draws)(rng)


def _amount(rng: random.Random) -> str:
    """A cardinal as it is said of money; about half are round numbers."""
    top = 10 ** rng.choice((2, 3, 3, 4, 4, 5, 6))
    value = rng.randrange(3, top)
    if rng.random() < 0.5:
        unit = max(1, top // rng.choice((10, 100)))
        value = max(unit, value // unit * unit)
    return cardinal(value, liang=True)


def _year(rng: random.Random) -> str:
    return spell(str(rng.randrange(1998, 2032)))


def _month(rng: random.Random) -> str:
    return cardinal(rng.randrange(1, 13))


def _date(rng: random.Random) -> str:
    month = rng.randrange(1, 13)
    days = 28 if month == 2 else 30 if month in (4, 6, 9, 11) else 31
    return f"{cardinal(month)}月{cardinal(rng.randint(1, days))}"


HOURS: Mapping[str, range] = {
    "早上": range(6, 10),
    "上午": range(8, 12),
    "中午": range(11, 13),
    "下午": range(1, 7),
    "晚上": range(6, 12),
    "今天下午": range(1, 7),
    "明天上午": range(8, 12),
    "明天下午": range(1, 7),
    "后天上午": range(8, 12),
}


def _part_and_clock(rng: random.Random) -> str:
    part = rng.choice(list(HOURS))
    return part + _hour_and_minute(rng, rng.choice(HOURS[part]))


def _clock(rng: random.Random) -> str:
    return _hour_and_minute(rng, rng.randrange(1, 13))


def _hour_and_minute(rng: random.Random, hour: int) -> str:
    said = "两点" if hour == 2 else cardinal(hour) + "点"
    kind = rng.random()
    if kind < 0.2:
        return said + "整"
    if kind < 0.4:
        return said + "半"
    if kind < 0.55:
        return said + rng.choice(("一刻", "三刻"))
    minute = rng.randrange(1, 60)
    return said + ("零" if minute < 10 else "") + cardinal(minute) + "分"


def _one_of(*words: str) -> Draw:
    return lambda rng: rng.choice(words)


SLOTS: Mapping[str, Draw] = {
    "service": _service,
    "mobile": _mobile,
    "code": _either(_groups(4), _groups(3, 3)),
    "order": _either(_groups(5), _groups(4, 4), _groups(3, 3)),
    "short": _either(_groups(3), _groups(4), _groups(5)),
    "amount": _amount,
    "year": _year,
    "month": _month,
    "date": _date,
    "clock": _clock,
    "time": _part_and_clock,
    "weekday": _one_of(*"一二三四五六"),
    "product": _one_of(*PRODUCTS),
    "hello": _one_of("您好", "你好", "早上好", "下午好", "晚上好", "喂您好", "打扰了"),
    "please": _one_of("请您", "麻烦您", "麻烦你", "请", "可以请您", "您能不能", "我想请您"),
    "ask": _one_of("请问", "我想问", "我想知道", "想了解", "帮我看看", "您知道", "麻烦问"),
    "end": _one_of("谢谢", "好吗", "可以吗", "对吗", "再见", "麻烦了", "多谢"),
    "call": _one_of("请拨打", "请直接打", "我刚才打了", "可以联系", "帮我转接", "我想投诉", "请回电"),
    "part": _one_of("上午", "下午", "晚上", "早上", "中午", "明天上午", "今天下午", "后天"),
    "money": _one_of("元", "块", "块钱", "元钱"),
    "name": _one_of("王经理", "李小姐", "张先生", "刘女士", "陈主任", "赵老师"),
    "who": _one_of("我", "客户", "王经理", "李小姐", "张先生", "财务", "技术部", "销售部", "大家", "同事"),
    "thing": _one_of(
        "合同", "账单", "发票", "方案", "报告", "订单", "预算", "会议纪要", "项目进度", "服务协议",
        "测试结果", "采购清单", "培训材料", "退款申请", "市场数据",
    ),
    "do": _one_of(
        "确认", "检查", "修改", "发送", "打印", "整理", "审核", "更新", "提交", "准备", "讨论", "解释",
    ),
    "fault": _one_of(
        "打不开", "没有声音", "连接不上", "登录不了", "经常断线", "速度很慢", "没有反应", "画面不清楚",
        "自动关机", "收费不对",
    ),
    "when": _one_of("现在", "今天", "明天", "下午", "晚上", "月底", "下周", "会后", "最近", "马上", "这周"),
    "place": _one_of("会议室", "办公室", "前台", "北京", "上海", "广州", "公司", "门口", "客服中心"),
}  # fmt: skip

TEMPLATES: Mapping[str, tuple[str, ...]] = {
    "digits": (
        "{call}{service}",
        "{hello}{call}{service}",
        "{call}{service}{end}",
        "客服热线是{service}{end}",
        "{ask}{service}是什么电话",
        "{when}收到{service}的短信",
        "{service}是我们的服务号码",
        "{product}热线是{service}",
        "我的手机号是{mobile}",
        "{please}记{mobile}",
        "{name}的电话是{mobile}",
        "验证码是{code}{end}",
        "您的验证码是{code}",
        "{hello}验证码{code}对吗",
        "{please}输入密码{code}",
        "订单号是{order}{end}",
        "{ask}订单{order}到了吗",
        "快递单号{order}在{place}",
        "会议号是{order}{end}",
        "{when}的会议号是{order}",
        "工号{short}为您服务",
        "{hello}工号{short}很高兴为您服务",
        "{please}转分机{short}",
        "{who}在{short}号房间",
        "尾号{short}的卡{fault}",
        "尾号是{short}的账户{end}",
        "{thing}编号是{short}",
        "{thing}的编号{short}{end}",
    ),
    "amounts": (
        "账户余额是{amount}{money}",
        "{ask}为什么扣了{amount}{money}",
        "{when}需要支付{amount}{money}",
        "{thing}金额是{amount}{money}",
        "{product}每月{amount}{money}",
        "{hello}我要充值{amount}{money}",
        "{who}要转账{amount}{money}{end}",
        "这次优惠{amount}{money}{end}",
        "{when}退还您{amount}{money}",
        "{who}{when}花了{amount}{money}",
        "{product}有{amount}个用户",
        "{when}新增{amount}个客户",
        "{place}有{amount}人参加",
    ),
    "dates": (
        "{name}的生日是{year}年{date}日",
        "{thing}签于{year}年{month}月",
        "{year}年的{thing}在{place}",
        "{ask}{year}年{month}月的{thing}",
        "会议改到{date}号",
        "{date}日{part}开会",
        "{who}{date}号到{place}",
        "{thing}{date}日到期",
        "{please}在{date}号前{do}{thing}",
        "{year}年{date}日生效",
        "星期{weekday}去{place}{do}{thing}",
        "下周{weekday}{who}去{place}",
    ),
    "times": (
        "会议{time}开始",
        "{who}{time}到{place}",
        "{please}{time}来{place}",
        "{time}{do}{thing}{end}",
        "{who}{time}有空吗",
        "{product}{time}维护",
        "我们{clock}在{place}见面",
        "{hello}{clock}可以给我回电吗",
        "{who}说{clock}再{do}{thing}",
        "航班{time}起飞{end}",
    ),
    "products": (
        "我想办理{product}{end}",
        "{hello}我的{product}{fault}",
        "{ask}{product}怎么收费",
        "{product}{when}{fault}",
        "{please}介绍{product}{end}",
        "{who}{when}想取消{product}",
        "{product}和{product}有什么区别",
        "{please}用{product}{do}{thing}",
        "{who}说{product}{fault}",
        "{place}的{product}{fault}",
        "{when}升级{product}要多久",
        "{hello}欢迎使用{product}",
    ),
    "plain": (
        "{please}{when}{do}{thing}",
        "{hello}{ask}{thing}在哪里",
        "{who}{when}要{do}{thing}",
        "{who}在{place}{do}{thing}",
        "{please}把{thing}发给{who}",
        "{thing}{when}交给{who}{end}",
        "{hello}{please}稍等我帮您{do}",
        "{name}和{who}{when}去{place}",
        "我们{when}在{place}{do}{thing}",
        "{ask}谁来{do}{thing}",
        "{who}的电脑{when}{fault}",
        "我的手机{fault}{please}检查",
        "{who}还没有{do}{thing}",
        "先{do}{thing}再{do}{thing}",
        "感谢{name}来电祝您生活愉快",
        "不好意思{who}{when}不在{place}",
        "感谢您联系{place}祝您生活愉快",
        "{hello}很高兴为{name}服务",
        "{name}您好请问需要{do}{thing}吗",
    ),
}

_SLOT = re.compile(r"\{(\w+)\}")


def fill(template: str, rng: random.Random) -> str:
    """Fill each slot of a template with a draw of its own."""
    return _SLOT.sub(lambda match: SLOTS[match[1]](rng), template)


def sentences(category: str, rng: random.Random, *, avoid: Collection[str] = ()) -> Iterator[Sentence]:
    """Yield distinct sentences of a category for ever, none with a text in `avoid`."""
    seen = set(avoid)
    while True:
        sentence = Sentence(fill(rng.choice(TEMPLATES[category]), rng), category)
        if sentence.text in seen or not MIN_CHARACTERS <= len(sentence.text) <= MAX_CHARACTERS:
            continue
        seen.add(sentence.text)
        yield sentence


def draw_sentences(count: int, seed: int, *, avoid: Collection[str] = ()) -> list[Sentence]:
    """Draw about `count` distinct sentences, shared out over the categories by :data:`SHARES`."""
    drawn: list[Sentence] = []
    for category in CATEGORIES:
        rng = random.Random(f"{seed} {category}")
        drawn += islice(sentences(category, rng, avoid=avoid), round(count * SHARES[category]))
    random.Random(seed).shuffle(drawn)
    return drawn
