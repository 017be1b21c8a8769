"""Everything the report says by itself, in Chinese and English.

Python fills in `{name}`; in messages `js.*` the script of the page does.
"""

from collections.abc import Mapping


def _both(zh: str, en: str) -> Mapping[str, str]:
    return {"zh": zh, "en": en}


_SUMMARY = {
    "title": _both("语音识别对比报告：{name}", "Speech recognition evaluation: {name}"),
    "language": _both("语言", "Language"),
    "contents": _both("目录", "Contents"),
    "noscript": _both(
        "浏览器未启用脚本：结论、表格和图可以阅读，音频和逐条结果不可用。",
        "Scripts are off in this browser: the summary, tables and charts can be read; audio and the list cannot "
        "be used.",
    ),
    "comma": _both("，", ", "),
    "space": _both("", " "),
    "nav.summary": _both("结论", "Summary"),
    "nav.versions": _both("各版本指标", "Versions"),
    "nav.charts": _both("图表", "Charts"),
    "nav.phrases": _both("变化最大的短语", "Phrases that changed most"),
    "nav.confusions": _both("易混淆的字词", "Confusion pairs"),
    "nav.numerals": _both("数字与热词", "Numerals and hotwords"),
    "nav.utterances": _both("逐条对比", "Utterances"),
    "nav.reading": _both("如何阅读本报告", "How to read this"),
    "verdict.worse": _both("变差", "Worse"),
    "verdict.not_worse": _both("没有变差", "Not worse"),
    "verdict.undecided": _both("尚无定论", "Undecided"),
    "so.worse": _both("不应上线。", "do not release."),
    "so.not_worse": _both("可以上线。", "may be released."),
    "so.undecided": _both("尚无定论。", "not decided yet."),
    "does.cer": _both("把字听错的比例", "gets characters wrong"),
    "does.wer": _both("把词听错的比例", "gets words wrong"),
    "does.mixed_error_rate": _both("把字词听错的比例", "gets characters or words wrong"),
    "does.numerals": _both("把数字听错的比例", "gets numbers wrong"),
    "does.hotwords": _both("听错热词的比例", "gets hotwords wrong"),
    "does.other": _both("在“{name}”上出错的比例", "errs in “{name}”"),
    "change.more": _both(
        "{version} {does}比 {baseline} 高 {points} 个百分点（{between}）",
        "{version} {does} {points} points more often than {baseline} ({between})",
    ),
    "change.less": _both(
        "{version} {does}比 {baseline} 低 {points} 个百分点（{between}）",
        "{version} {does} {points} points less often than {baseline} ({between})",
    ),
    "change.same": _both(
        "{version} {does}与 {baseline} 相同（{between}）", "{version} {does} as often as {baseline} ({between})"
    ),
    "change.unknown": _both("{version} 与 {baseline} 之间没有可比的指标", "{version} and {baseline} share no measure"),
    "between": _both("{low} 到 {high} 之间", "between {low} and {high}"),
    "between.signed": _both("差值在 {low} 到 {high} 之间", "difference between {low} and {high}"),
    "between.unknown": _both("区间未知", "interval not known"),
    "sentence": _both("{what}：{so}", "{what}: {so}"),
    "need.some": _both("大约再测 {n} 条语句即可得出结论。", "About {n} more utterances would decide."),
    "need.unknown": _both(
        "无法估计还需要多少条语句才能得出结论。", "How many more utterances would decide cannot be estimated."
    ),
    "balance": _both(
        "{worse} 条语句变差，{better} 条变好，{equal} 条相同。",
        "{worse} utterances got worse, {better} better, {equal} equal.",
    ),
    "worst": _both(
        "最差的类别：{name}，{metric} {points} 个百分点。", "Worst category: {name}, {metric} {points} points."
    ),
    "alone": _both(
        "{version}：{rates}。没有与其他版本对比。", "{version}: {rates}. It was compared with no other version."
    ),
    "alone.rate": _both("{metric} {rate}", "{metric} {rate}"),
    "nothing": _both("本次评测没有任何版本的结果。", "This evaluation holds no version."),
    "baseline": _both("基准", "baseline"),
    "measure": _both("指标", "Measure"),
    "difference": _both("差值（百分点）", "Difference (points)"),
    "interval": _both("{confidence} 区间", "{confidence} interval"),
    "limits": _both("界限", "Limits"),
    "limits.both": _both(
        "变差：> {fail_above}；没有变差：< {at_most}", "worse: > {fail_above}; not worse: < {at_most}"
    ),
    "verdict": _both("判定", "Verdict"),
}

_FACTS = {
    "fact.set": _both("测试集", "Test set"),
    "fact.version": _both("测试集版本", "Set version"),
    "fact.utterances": _both("语句数", "Utterances"),
    "fact.speakers": _both("说话人数", "Speakers"),
    "fact.minutes": _both("音频时长", "Audio"),
    "fact.minutes.value": _both("{n} 分钟", "{n} min"),
    "fact.created": _both("日期", "Date"),
    "fact.normaliser": _both("文本规整版本", "Normaliser version"),
    "fact.weights": _both("对齐权重", "Alignment weights"),
    "weights.unit": _both("等权（每种错误计 1）", "unit (each error counts 1)"),
    "weights.sclite": _both("sclite（替换 4，增删 3）", "sclite (4 for a substitution, 3 otherwise)"),
}

_VERSIONS = {
    "metric.cer": _both("字错误率", "character errors"),
    "metric.wer": _both("词错误率", "word errors"),
    "metric.mixed_error_rate": _both("混合错误率", "mixed errors"),
    "metric.numerals": _both("数字错误率", "wrong numbers"),
    "metric.hotwords": _both("热词错误率", "wrong hotwords"),
    "rate.cer": _both("字错误率 CER", "Character error rate (CER)"),
    "rate.wer": _both("词错误率 WER", "Word error rate (WER)"),
    "rate.mixed_error_rate": _both("混合错误率 MxER", "Mixed error rate (MxER)"),
    "group.normalised": _both("规整后的文本", "Normalised text"),
    "group.raw": _both("原始文本", "Raw text"),
    "group.content": _both("内容", "Content"),
    "group.speed": _both("速度与稳定性", "Speed and reliability"),
    "group.health": _both("文本健康信号（语句数）", "Health signals (utterances)"),
    "row.measure": _both("指标", "Measure"),
    "row.numerals": _both("数字错误率", "Wrong numbers"),
    "row.hotwords": _both("热词错误率", "Wrong hotwords"),
    "row.bleu": _both("BLEU（越高越好）", "BLEU (higher is better)"),
    "row.p50": _both("延迟 p50", "Latency p50"),
    "row.p95": _both("延迟 p95", "Latency p95"),
    "row.rtf": _both("实时率 RTF", "Real-time factor (RTF)"),
    "row.failed": _both("识别失败", "Failed recognitions"),
    "health.loops": _both("重复循环", "Repetition loops"),
    "health.text_on_silence": _both("静音上出字", "Text on silence"),
    "health.empty_on_speech": _both("有语音却无字", "Empty on speech"),
    "health.language_flips": _both("语种跳变", "Language flips"),
    "health.rate_outliers": _both("语速异常", "Speaking rate outliers"),
    "cell.counts": _both("替 {s} 删 {d} 增 {i} / {n}", "{s} sub {d} del {i} ins / {n}"),
    "cell.wrong": _both("{wrong} / {reference}", "{wrong} of {reference}"),
    "cell.ms": _both("{n} 毫秒", "{n} ms"),
    "best": _both("最好", "best"),
    "versions.note": _both(
        "加粗并带圆点的是该行最好的版本。指纹：{fingerprints}",
        "Bold with a dot is the best of its row. Fingerprints: {fingerprints}",
    ),
    "failures": _both("{version} 的失败（{n}）", "Failures of {version} ({n})"),
    "failures.more": _both("另有 {n} 条", "{n} more"),
}

_CHARTS = {
    "chart.difference": _both("{metric}：与 {baseline} 的差值", "{metric}: difference to {baseline}"),
    "charts.note": _both(
        "差值以百分点计，越靠右越差：点为差值，横线为区间。整条横线都在实线（变差界限）右边，即证实变差；"
        "都在虚线（允许界限）左边，即证实没有变差。",
        "Differences are in percentage points, worse to the right: the dot is the difference, the bar its interval. "
        "A bar wholly right of the solid line (fail_above) is proven worse; wholly left of the dashed line (at_most), "
        "proven not worse.",
    ),
    "chart.difference.note": _both(
        "变差界限 {fail_above}（实线），允许界限 {at_most}（虚线）",
        "fail_above {fail_above} (solid line), at_most {at_most} (dashed line)",
    ),
    "chart.rates": _both("{metric}：按类别和版本", "{metric} by category and version"),
    "chart.latency": _both("延迟：p50 与 p95", "Latency: p50 and p95"),
    "chart.latency.note": _both(
        "深色到 p50，浅色到 p95，单位毫秒。", "Dark up to p50, light up to p95, in milliseconds."
    ),
    "chart.overall": _both("全部语句", "all utterances"),
    "chart.what": _both("范围", "Part"),
    "chart.plot": _both("图", "Chart"),
    "chart.value": _both("数值", "Value"),
    "chart.utterances": _both("{name}（{n} 条）", "{name} ({n})"),
    "chart.none": _both("没有可画的数据。", "Nothing to draw."),
}

_PHRASES = {
    "phrases.head": _both("{version} 对比 {baseline}", "{version} against {baseline}"),
    "phrases.note": _both(
        "变化最多的 {n} 个片段：参考文本，以及两个版本各自听成了什么。",
        "The {n} most frequent changes: a piece of the reference and what each version made of it.",
    ),
    "phrases.none": _both("没有反复出现的变化。", "No change occurred repeatedly."),
    "phrases.no_comparison": _both("只有一个版本，没有对比。", "One version only: nothing to compare."),
    "reference": _both("参考文本", "Reference"),
    "hypothesis": _both("识别为", "Heard as"),
    "count": _both("次数", "Count"),
    "kind": _both("类型", "Kind"),
    "listen": _both("试听", "Listen"),
    "find": _both("查看语句", "Show utterances"),
    "empty": _both("(空)", "(empty)"),
    "kind.substitution": _both("替换", "substitution"),
    "kind.deletion": _both("漏字", "deletion"),
    "kind.insertion": _both("增字", "insertion"),
    "confusions.note": _both("每个版本最常见的 {n} 种错误。", "The {n} most frequent errors of each version."),
    "confusions.none": _both("没有错误。", "No errors."),
    "numerals.note": _both(
        "参考文本中的每个数字（号码、金额、日期、时间）作为一个整体判断对错。",
        "Each number of the reference (codes, amounts, dates, times) is right or wrong as a whole.",
    ),
    "numerals.missed": _both("{version} 听错的数字", "Numbers that {version} missed"),
    "numerals.missed.note": _both(
        "每个版本最常见的 {n} 种：说的是什么、在它的位置听成了什么，小字是原文；JSON 里有全部。",
        "The {n} most frequent of each version: what was said and what was heard in its place, in small print as it "
        "stands in the text. The JSON has all.",
    ),
    "numerals.said": _both("说的是", "Said"),
    "numerals.right": _both("没有听错的数字。", "No number was missed."),
    "numerals.nothing": _both("没有数字", "no number"),
    "numerals.utterances": _both("语句", "Utterances"),
    "numerals.more": _both("等 {n} 条", "{n} in all"),
    "numerals.none": _both("参考文本中没有数字。", "The references hold no numbers."),
    "category": _both("类别", "Category"),
    "version": _both("版本", "Version"),
    "hotwords.none": _both("没有配置热词。", "No hotwords were given."),
    "words.numerals": _both("数字", "Numbers"),
    "words.hotwords": _both("热词", "Hotwords"),
}

_LIST = {
    "list.note": _both(
        "列出 {listed} 条各版本结果不同的语句；另有 {same} 条结果完全相同，不再列出。",
        "{listed} utterances that the versions heard differently; {same} more came out the same and are not listed.",
    ),
    "list.note.alone": _both(
        "列出 {listed} 条有错误的语句；另有 {same} 条没有错误，不再列出。",
        "{listed} utterances with errors; {same} more have none and are not listed.",
    ),
    "list.legend": _both("标记：", "Marks:"),
    "legend.substitution": _both("替换（原字划去）", "substitution (the original struck through)"),
    "legend.deletion": _both("漏字（划去）", "deletion (struck through)"),
    "legend.insertion": _both("增字（下划线）", "insertion (underlined)"),
    "filter.category": _both("类别", "Category"),
    "filter.speaker": _both("说话人", "Speaker"),
    "filter.change": _both("变化", "Change"),
    "filter.version": _both("版本", "Version"),
    "filter.search": _both("查找文本或编号", "Find text or id"),
    "filter.all": _both("全部", "all"),
    "filter.worse": _both("只看变差的", "only worse"),
    "filter.better": _both("只看变好的", "only better"),
    "list.aligned": _both("上下对齐（S 替换，D 漏字，I 增字）", "Aligned, reference over hypothesis (S, D, I)"),
    "filter.clear": _both("清除筛选", "Clear filters"),
    "page.previous": _both("上一页", "Previous"),
    "page.next": _both("下一页", "Next"),
    "player": _both("播放器", "Player"),
    "js.play": _both("播放 {id}", "Play {id}"),
    "js.seconds": _both("{n} 秒", "{n} s"),
    "js.absent.missing": _both("无音频（找不到文件）", "no audio (file missing)"),
    "js.absent.budget": _both("无音频（超出总量）", "no audio (over the limit)"),
    "js.absent.format": _both("无音频（格式不支持）", "no audio (format)"),
    "js.absent.off": _both("无音频", "no audio"),
    "js.cannot_play": _both("此浏览器无法播放 {id}", "This browser cannot play {id}"),
    "js.reference": _both("参考", "Reference"),
    "js.empty": _both("(空)", "(empty)"),
    "js.failed": _both("识别失败：{error}", "Failed: {error}"),
    "js.missing": _both("没有结果", "no result"),
    "js.errors": _both("{n} 处错误", "{n} errors"),
    "js.error": _both("{n} 处错误", "{n} error"),
    "js.right": _both("全对", "all right"),
    "js.ms": _both("{n} 毫秒", "{n} ms"),
    "js.worse": _both("{version} 变差 {n}", "{version} worse by {n}"),
    "js.better": _both("{version} 变好 {n}", "{version} better by {n}"),
    "js.equal": _both("{version} 无变化", "{version} no change"),
    "js.numbers_worse": _both("{version} 数字变差", "{version} numbers worse"),
    "js.numbers_better": _both("{version} 数字变好", "{version} numbers better"),
    "js.range": _both("第 {first}–{last} 条，共 {n} 条", "{first}–{last} of {n}"),
    "js.none": _both("没有符合条件的语句。", "No utterance matches."),
    "js.phrase": _both("只看选中的 {n} 条语句", "only the {n} chosen utterances"),
    "js.missed": _both("听错的数字：{pairs}", "Missed numbers: {pairs}"),
    "js.no_number": _both("没有数字", "no number"),
    "audio.off": _both("本报告按要求不含音频。", "Audio was left out of this report on request."),
    "audio.held": _both("含 {n} 段音频（{size} MB）。", "Holds {n} clips ({size} MB)."),
    "audio.missing": _both("{n} 条没有音频：找不到文件。", "{n} have no audio: the file is missing."),
    "audio.budget": _both(
        "{n} 条没有音频：超出 {size} MB 的总量上限，变差最多的优先收录。",
        "{n} have no audio: over the limit of {size} MB for all clips; the most worsened came first.",
    ),
    "audio.format": _both(
        "{n} 条没有音频：浏览器不能播放这种格式。", "{n} have no audio: browsers do not play that format."
    ),
}

_READING = {
    "read.rates": _both("错误率", "Rates"),
    "read.cer": _both(
        "字错误率 CER：（替换 + 漏字 + 增字）÷ 参考文本的字数，所有语句合计后再相除，因此长语句权重更大；增字多时"
        "可以超过 100 %。",
        "CER, character error rate: (substitutions + deletions + insertions) ÷ characters of the reference, "
        "summed over all utterances "
        "before dividing, so long utterances weigh more; with many insertions it can exceed 100 %.",
    ),
    "read.wer": _both(
        "词错误率 WER：同样的算法，以空格分隔的词为单位。中文不分词，一句话常被当作一个词，因此中文请看 CER。",
        "WER, word error rate: the same over words set apart by spaces. Chinese has none, a sentence often "
        "counts as one word: read CER there.",
    ),
    "read.mixed": _both(
        "混合错误率 MxER：汉字按字、英文按词计算，适合中英混说。",
        "MxER, mixed error rate: Chinese by character and English by word, for speech that mixes them.",
    ),
    "read.normalised": _both(
        "“原始”按原样比较；“规整后”先统一全半角、大小写、标点、语气词、简繁体和数字写法，因此“一零零八六”与“10086"
        "”算相同。",
        "Raw compares texts as they are; normalised first makes width, case, punctuation, fillers, script and "
        "the form of numbers alike, "
        "so 一零零八六 equals 10086.",
    ),
    "read.numerals": _both(
        "数字错误率：参考文本里的数字有多少没有被完整、正确地识别。热词错误率同理。",
        "Wrong numbers: the share of the numbers in the references that were not recognised completely and "
        "correctly. Hotwords likewise.",
    ),
    "read.bleu": _both(
        "BLEU：n 元片段与参考文本的重合程度，0 到 100，越高越好。",
        "BLEU: overlap of n-grams with the reference, 0 to 100, higher is better.",
    ),
    "read.speed": _both(
        "延迟 p50、p95：一半、百分之九十五的语句在此时间内完成。实时率 RTF：识别用时 ÷ 音频时长，越低越快。",
        "Latency p50 and p95: half and 95 % of the utterances were done within it. RTF: time to recognise ÷"
        " length of the audio, lower is faster.",
    ),
    "read.health": _both(
        "健康信号不需要参考文本：重复循环、静音上出字、有语音却无字、语种跳变、语速异常的语句数。",
        "Health signals need no reference: utterances with repetition loops, text on silence, no text on speech, "
        "a flip of language, "
        "or an implausible speaking rate.",
    ),
    "read.intervals": _both("区间", "Intervals"),
    "read.interval": _both(
        "差值的 95 % 区间：同一批音频由两个版本识别，按说话人整体重新抽样得到（同一个人的语句彼此相似，不能当作独"
        "立）。"
        "如果反复用别的说话人评测，大约 95 % 的区间会包含真实差值。说话人越少，区间越不可靠。",
        "The 95 % interval of a difference: both versions heard the same audio, and whole speakers are resampled "
        "(what one person says is alike "
        "and not independent). Were the evaluation repeated with other speakers, about 95 % of such intervals "
        "would hold the true difference. "
        "With few speakers they are less reliable.",
    ),
    "read.verdicts": _both("判定", "Verdicts"),
    "read.worse": _both(
        "变差：至少一项指标的整个区间都高于“变差界限”，即已证实变差。",
        "Worse: for at least one measure the whole interval lies above the line fail_above: proven worse.",
    ),
    "read.not_worse": _both(
        "没有变差：每一项指标的整个区间都低于“允许界限”，即已证实不会差过这一界限。不等于完全相同。",
        "Not worse: for every measure the whole interval lies under the line at_most: proven to lose no more "
        "than that. It does not mean equal.",
    ),
    "read.undecided": _both(
        "尚无定论：证据不足以证明以上任何一种，需要更多语句或更多说话人。没有证据不等于没有变差。",
        "Undecided: the evidence proves neither; more utterances or speakers are needed. No evidence of harm is "
        "not evidence of none.",
    ),
    "read.mapsswe": _both("MAPSSWE 检验", "MAPSSWE test"),
    "read.mapsswe.what": _both(
        "NIST 的配对句段词错误检验：以两个版本都正确的片段为界切分句段，比较每段的错误数。仅供参考，判定不以它为准。",
        "NIST's matched pairs sentence-segment word error test: speech is cut where both versions are right, and "
        "errors are compared segment by "
        "segment. For reference; the verdicts do not rest on it.",
    ),
    "mapsswe.found": _both(
        "{baseline} 与 {version}：{segments} 个句段，平均差 {mean}，z = {z}，p {p}：{better}。",
        "{baseline} and {version}: {segments} segments, mean difference {mean}, z = {z}, p {p}: {better}.",
    ),
    "mapsswe.better": _both("{name} 显著更好", "{name} is significantly better"),
    "mapsswe.neither": _both("没有显著差异", "no significant difference"),
    "mapsswe.none": _both("{baseline} 与 {version}：未做。", "{baseline} and {version}: not done."),
    "foot": _both(
        "本文件可离线打开，不连接任何网络；其中的音频和文本属于测试集，请按同样的规定保管。",
        "This file opens offline and connects to nothing. Its audio and texts belong to the test set: keep it "
        "under the same rules.",
    ),
}

MESSAGES: Mapping[str, Mapping[str, str]] = {
    **_SUMMARY,
    **_FACTS,
    **_VERSIONS,
    **_CHARTS,
    **_PHRASES,
    **_LIST,
    **_READING,
}
