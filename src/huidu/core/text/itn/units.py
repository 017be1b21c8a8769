"""What follows a number: measured units, which take digits, and plain classifiers, which leave a single digit alone."""

import re


def one_of(words: str) -> str:
    """A pattern of any of the words, which are separated by white space; the longest first."""
    return "(?:" + "|".join(sorted(words.split(), key=lambda word: (-len(word), word))) + ")"


# A single digit before one of these is written as a digit, 一 too.
_STRICT = """
公里 千米 厘米 毫米 微米 纳米 分米 米 英里 海里 英寸 英尺 公斤 千克 毫克 微克 克 吨 斤 盎司 升 毫升
平方公里 平方米 平方厘米 平米 平方 立方米 立方 公顷 亩 小时 个小时 个半小时 个钟头 分钟 秒钟 秒 毫秒 个月 个半月
个工作日 个百分点 万元 亿元 元 块钱 毛钱 分钱 美元 美金 欧元 日元 英镑 港币 港元 人民币 字节 兆 千瓦 千瓦时 瓦 伏 千伏
千卡 大卡 千赫 千帕 兆赫 赫兹 摄氏度 华氏度 度电
"""
_STRICT_PATTERNS = (
    "号(?!召|称|令|角)",
    "月(?!亮|球|饼|光|色|票|薪|台|牙|经|季|老)",
    "岁(?!月)",
    "刻钟",
    "毛(?=[一二三四五六七八九]分)",
)
STRICT = re.compile(one_of(_STRICT)[:-1] + "|" + "|".join(_STRICT_PATTERNS) + ")(?!花|粉|国|尔|服|线电)")

# A single digit from 二 on before one of these is written as a digit; 一 stays, since 一天 or 一块 seldom count.
_LOOSE_PATTERNS = (
    "天(?!空|气|然|下|真|津|上|才|使|堂|涯|地|打)",
    "年(?!级|轻|纪|货|轮|糕|代)",
    "周(?!边|折|到|围|密|全|游|刊)",
    "星期",
    "个星期",
    "个礼拜",
    "日(?!本|报|子|常|语|记)",
    "度(?!过|假|蜜|空)",
    "块(?!头|状)",
    "毛(?!病|巾|衣|孩|线|驴|豆|坦)",
    "角(?!形|落|度|色|星|大|洲|恋|架|板|梯|债|梅|龙)",
    "分(?!之|开|别|享|析|配|手|店|裂|类|法|天|球|院|公|成|靠|像|队|部|组)",
    "倍",
    "折(?!叠|腾|磨)",
    "楼(?!梯|道|盘|主)",
)
LOOSE = re.compile("(?:" + "|".join(_LOOSE_PATTERNS) + ")")

# After 第 a single digit before one of these is written as a digit.
ORDINAL = re.compile(
    one_of("""
季度 条 章 节 页 期 届 名 次 个 位 步 款 项 批 轮 行 列 层 楼 排 号 课 集 部分 部 卷 版 组 队 周 年 月 局 回 关 站 类
级 等 档 题 段 幕 场 遍 篇 封 件 张 本 台 代 梯队 阶段 单元 车间 小队 中学 小学 医院 大道 军 师 团
""")
)

# A single digit before one of these counts as a number, though it is written in Chinese.
_CLASSIFIERS = (
    "个位名人条张本只件份台部辆座栋间套家所门项种类样次遍回趟场届期批组队班排行列层级代款支枝根颗粒片杯瓶碗盘桌箱包袋盒桶"
    "双对副顶把口匹群朵棵株首篇段句字章节页集幅封笔处道股阵顿步轮局关站票天年周日月号元块毛角分秒点度倍折楼岁路室房环声盏"
    "面架发滴成宗桩扇床"
)
_NO_CLASSIFIER = (
    "对[吗吧不的了应方]|所[以有在]|处[理于在]|首[先页]|本[来人次地]|行[吗不了吧]|人工|部门|包邮|发[送给]|点击"
    "|把[它他我]|面[试对前]"
)
_LONG_UNITS = (
    "小时|公里|千米|厘米|毫米|毫升|英里|英尺|英寸|海里|公斤|公分|千克|大卡|千瓦|摄氏|华氏|平|立方|星期|礼拜"
    "|[米克吨斤升亩伏瓦兆寸尺丈]"
)
CLASSIFIER = re.compile(f"(?!{_NO_CLASSIFIER})(?:[{_CLASSIFIERS}]|{_LONG_UNITS})")

# 三点 before one of these counts points of a list and is no time.
POINTS = re.compile(
    "(?:个?(?:建议|要求|意见|原因|理由|说明|内容|好处|优势|区别|体会|看法|想法|需要|希望|提示|不同|问题|心得|共识|启示|结论|声明|注意|"
    "很重要|值得))"
)

# Words before a string of digits that is read digit by digit.
CODE = re.compile(
    one_of("""
号码 电话 手机号 手机 编号 工号 学号 单号 账号 帐号 卡号 车号 车牌 型号 代码 邮编 区号 订单 验证码 密码 口令 尾号 分机
热线 会议号 会员号 房间号 房号 座机 快递号 证号 短号 客服 转接 接通 拨打 致电 回电 投诉 直接打 打了 打 拨 拨通 按 记
收到 序列号 航班号 QQ 微信号 身份证 号 码 房间 总机 端口 版本号 火警 报警 急救
""")
    + "(?:号|号码)?(?:已经|应该|好像|就)?(?:是|为|叫|改成|改为|一下|了|的|请|[:：,，\\s])*$"
)


def code_before(text: str, start: int) -> bool:
    """Whether words such as 电话是 stand directly before an offset."""
    return CODE.search(text[max(0, start - 12) : start]) is not None
