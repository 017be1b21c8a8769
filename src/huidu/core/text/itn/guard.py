"""Words that hold number characters and are guarded: they stay as they are in the written form.

There are two kinds. IDIOM_WORDS and IDIOM_PATTERNS hold no number at all (一起, 三心二意, 五粮液, 星期三): whoever
looks for numbers passes them over. LEFT_WORDS and LEFT_PATTERNS hold one that some write with a digit (第二天, 双十一,
七匹狼, 零下): they are only left alone in the written form.

The lists are compact: they have what the rules would otherwise take for a number (a unit or a classifier follows, or
several number characters stand together) and common words besides. The longest word wins, also over the numbers in
it. A number character directly before a word undoes it (百度 in 三百度), save for adverbs with 一 after single digits
(九五五一一一直 is 95511 and 一直).
"""

import re

from huidu.core.text.itn.numbers import CHARACTERS
from huidu.core.text.itn.units import one_of

MASK = "\ue000"

_ADVERBS_AND_NOUNS = """
一共 一律 一概 一向 一再 一旦 一切 一同 一道 一齐 一路 一时 一阵 一致 一连 一番 一经 一并
一体 一个劲 一会儿 一会 一点儿 一点点 一半 一代 一流 一把手 一口气 一口价 一次性 一站式 一条龙
一辈子 一家人 一方面 一面 一门心思 一元化 一块儿 一手 一系列 统一 唯一 万一 单一 逐一 专一 惟一
任一 某一 另一 每一 不一 再三 瘪三 老三 老二 王八 再一次 又一次 进一步 三角形 三角洲 三轮车
三明治 三文鱼 三国 三好学生 三毛流浪记 三点式 三点水 三级跳 三级片 三克油 二人转 二把手 两面派
两分法 三分法 四面 四方 五角星 五角大楼 七步诗 三围 三军 十足 十字路口 十字架 十字 红十字
三七粉 三好 零点乐队
"""
_IDIOMS = """
一点一滴 一天到晚 一年四季 一年到头 一年一度 一日之计 一日千里 一路顺风 一帆风顺 一举两得 一石二鸟
一箭双雕 一心一意 一心二用 一五一十 一清二楚 一干二净 一来二去 一知半解 一目十行 一言九鼎 一字千金
一步一步 一步到位 一分为二 一分钱一分货 一问三不知 一波三折 一国两制 一而再再而三 一模一样 一丝不苟
一毛不拔 一草一木 一举一动 一朝一夕 一唱一和 一分耕耘一分收获 一一对应 一一列举 一头雾水 一刻不停
一刀两断 一落千丈 一传十十传百 二话不说 三心二意 三三两两 三言两语 三番五次 三番两次 三天两头 三年五载
三长两短 三令五申 三头六臂 三教九流 三六九等 三更半夜 三生有幸 三顾茅庐 三思而行 三七二十一 三下五除二
三人行 三人成虎 三分天注定 三天打鱼两天晒网 不三不四 低三下四 颠三倒四 丢三落四 接二连三 朝三暮四
推三阻四 说一不二 独一无二 举一反三 挂一漏万 以一当十 闻一知十 九死一生 百里挑一 表里如一 始终如一
两面三刀 两全其美 两败俱伤 两小无猜 两手准备 两点一线 两码事 两回事 两下子 两口子 模棱两可 势不两立
进退两难 半斤八两 两次三番 四面八方 四通八达 四分五裂 四书五经 四世同堂 四舍五入 五花八门 五湖四海
五颜六色 五光十色 五脏六腑 五体投地 五大三粗 五十步笑百步 六神无主 六亲不认 七上八下 七嘴八舌 七拼八凑
七零八落 七手八脚 七荤八素 七老八十 乱七八糟 横七竖八 七大姑八大姨 八九不离十 九牛一毛 九九归一
十全十美 十万火急 十有八九 十之八九 十拿九稳 十恶不赦 十年磨一剑 十年树木百年树人 十年如一日 十面埋伏
十里洋场 千山万水 千军万马 千千万万 千方百计 千变万化 千家万户 千言万语 千辛万苦 千载难逢
成千上万 成百上千 千万别 万里挑一
"""
_NAMES = """
三星 三亚 三峡 三里屯 三元桥 三元里 三元牛奶 三明市 三门峡 三沙 三一重工 四川 四惠 四姑娘山
五道口 五棵松 五粮液 五台山 五指山 六安 六盘水 六合 七台河 八达岭 八宝山 八里桥 八里台 九江 九寨沟
九龙 九华山 十里河 十里堡 十堰 十三陵 三坊七巷 二道白河 千岛湖 百度 万科 万达 陆家嘴 三毛先生
"""
_LEFT = """
一线 一等奖 一元二次 三轮 三维 三方 三口之家 三次元 二次元 三折叠 二次方 二人世界 二维码 两点之间
三分球 四周 一二线 二三线 三四线 一二三线 四六级 五星级 五环 五项全能 七分裤 七天酒店 七分饱 八分饱
十二生肖 十八般武艺 十月革命 十项全能 十三香 二八定律 三七开 五五开 三八线 双十一 双十二 双十
国庆十一 九一一事件 一二九运动 七七事变 五险一金 三包 零下 零次 从零开始 一年级 二年级 三年级 四年级
五年级 六年级 七年级 八年级 九年级 负一楼 负二楼 负三楼 负一层 负二层 负三层 一日三餐 一家三口
一句话 一千零一夜 七十二变 七天无理由退货 七天无理由 八百里加急 九九八十一难 十万个为什么 二二得四
三九胃泰 三只松鼠 五四广场 七匹狼 七天连锁 八一路 二七广场 二七塔
"""
IDIOM_WORDS = (*_ADVERBS_AND_NOUNS.split(), *_IDIOMS.split(), *_NAMES.split())
LEFT_WORDS = tuple(_LEFT.split())

IDIOM_PATTERNS = (
    # Degrees, a quarter of a year and square metres begin like these words.
    f"一度(?<!零下一度)(?<!负一度)(?<![{CHARACTERS}]一度)",
    f"四季(?!度)|四平(?![方米])(?<![{CHARACTERS}点]四平)",
    f"人五人六(?<![{CHARACTERS}]人五人六)",
    "一(?<![十百千万亿]一)(?:"
    "起(?!事|案|飞)|直(?!接|播|达|营|升|辖)|下(?!午|班|周|载|单|车|个|月|次)|些|样|定(?!价|金)|般(?!武)|边)",
    f"一(?<![{CHARACTERS}午晨上晚间天到至]一)点(?=也|都|不|没|吧|的|[。，！？,.!?]|$)",
    f"十(?<![{CHARACTERS}点得打加扣减满第过评差]十)分(?!钟|之|球)",
    "第一(?:时间|手|印象|夫人|反应|桶金|眼|视角)|第[二三](?:者|方)|第六感",
    "(?:星期|礼拜|周)[一二三四五六日](?![百千万亿零])"
    "(?:[一二三四五六日](?![点号日月个天条次分块元十百千万零])|[至到](?:星期|礼拜|周)?[一二三四五六日](?!点))*",
    "[这那前过头近后]两(?:天|年|周|日|个月|个星期)",
    f"(?:张三|李四|王五|赵六)(?<![{CHARACTERS}几]..)",
    "三(?<![元块]三)角",
)
# A number behind one of these is no day, nor is one of a train or a plate: G七一.
_BEFORE_HOLIDAY = "是号码打拨转为间点米块A-Za-z0-9"
LEFT_PATTERNS = (
    "第一(?:线|产业|人称|财经|人民|例)|第[二三]产业|第二天|第[一二]次世界大战|第一第二",
    f"(?:五一|六一|三八|七一|八一|五四)(?<![{CHARACTERS}{_BEFORE_HOLIDAY}]..)(?![{CHARACTERS}号年折点比])",
    f"九一八(?<![{CHARACTERS}{_BEFORE_HOLIDAY}]...)(?![{CHARACTERS}号])",
    "三月三(?=节|庙会|歌|$)",
    "十一(?=假期|黄金周|长假|小长假|期间|放假|出游|国庆)",
)


def _guards(words: tuple[str, ...], patterns: tuple[str, ...]) -> re.Pattern[str]:
    by_first: dict[str, list[str]] = {}
    for word in words:
        by_first.setdefault(word[0], []).append(word[1:])
    groups = [_group(first, rests) for first, rests in sorted(by_first.items())]
    # The lists come first: a longer idiom is not cut short by a pattern such as 十分.
    return re.compile("|".join([*groups, *patterns]))


def _group(first: str, rests: list[str]) -> str:
    """Words with one first character; regular expressions leave such a group at once where it does not begin."""
    alone = f"(?<![{CHARACTERS}]{first})" if first in CHARACTERS else ""
    open_end = [rest for rest in rests if rest[-1] not in CHARACTERS]
    closed = [rest for rest in rests if rest[-1] in CHARACTERS]
    branches = [one_of(" ".join(open_end))] if open_end else []
    if closed:
        branches.append(one_of(" ".join(closed)) + f"(?![{CHARACTERS}])")
    return f"{first}{alone}(?:{'|'.join(reversed(branches))})"


_ALL = _guards((*IDIOM_WORDS, *LEFT_WORDS), (*IDIOM_PATTERNS, *LEFT_PATTERNS))
_IDIOMS_ALONE = _guards(IDIOM_WORDS, IDIOM_PATTERNS)
_LEFT_ALONE = _guards(LEFT_WORDS, LEFT_PATTERNS)
_NUMBER = re.compile(f"[{CHARACTERS}]")


def masked(text: str) -> str:
    """The text, as long as before, with the number characters of all guarded words made unreadable."""
    return _hidden(_ALL, text)


def masked_idioms(text: str) -> str:
    """The text, as long as before, with the number characters made unreadable that are part of no number at all."""
    return _hidden(_IDIOMS_ALONE, text)


def left_spans(text: str) -> list[tuple[int, int]]:
    """The offsets of words such as 双十一 and 第二天, whose number is part of a name."""
    return [match.span() for match in _LEFT_ALONE.finditer(text)]


def _hidden(guards: re.Pattern[str], text: str) -> str:
    return guards.sub(lambda match: _NUMBER.sub(MASK, match[0]), text)
