"""`huidu score`: two text files against each other."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from huidu.cli.app import JsonOption, app, show
from huidu.cli.worst import ShowOption, check_show, columns, worst_text
from huidu.core.errors import InvalidError
from huidu.core.formats.keys import Asked
from huidu.core.testset import markup
from huidu.core.text.align import Weights
from huidu.core.text.normalise import Normaliser
from huidu.core.text.score import Score, score, total
from huidu.evaluation.textfiles import Format, Paired, Source, read_pair
from huidu.evaluation.worst import missed_of, missed_pairs, worst

_NAMED = 10


@app.command(name="score")
def score_files(
    reference: Annotated[Path, typer.Argument(metavar="REF", help="What was said.")],
    hypothesis: Annotated[Path, typer.Argument(metavar="HYP", help="What was heard.")],
    form: Annotated[
        Format | None, typer.Option("--format", help="Of both files; default: each as its name tells.")
    ] = None,
    id_column: Annotated[str | None, typer.Option(help="The column (CSV, TSV) or key (JSONL) of the ids.")] = None,
    text_column: Annotated[str | None, typer.Option(help="The column or key of the texts.")] = None,
    weights: Annotated[str, typer.Option(help="unit, or sclite (substitution 4, insertion and deletion 3).")] = "unit",
    per_utterance: Annotated[
        bool, typer.Option("--per-utterance", help="Add each utterance: CER raw, normalised, mixed, wrong numerals.")
    ] = False,
    drop_fillers: Annotated[bool, typer.Option("--drop-fillers", help="Normalised texts lose 嗯, 啊, um.")] = False,
    simplified: Annotated[
        bool, typer.Option("--simplified", help="Normalised texts are in simplified Chinese.")
    ] = False,
    most: ShowOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Score a text file against another: CER, WER, mixed error rate, numerals. Example: huidu score ref.trn hyp.trn"""
    check_show(most)
    normaliser = Normaliser(drop_fillers, simplified)
    found = read_pair(_source(reference), _source(hypothesis), form, Asked(id_column, text_column))
    scores = score(found.references, found.hypotheses, normaliser, weights_of(weights))
    whole = total(scores)
    result: dict[str, Any] = {
        **whole.to_json(),
        "sentences": len(found.ids),
        "missing": len(found.missing),
        "unmatched": len(found.unmatched),
        "normaliser": normaliser.name,
        "weights": weights,
    }
    if per_utterance:
        rows = zip(found.ids, scores, found.hypotheses, strict=True)
        result["per_utterance"] = [{"id": name, "missing": text is None, **one.to_json()} for name, one, text in rows]
    lines = [_line(name, one) for name, one in zip(found.ids, scores, strict=True)] if per_utterance else []
    if most:
        pairs = missed_pairs(missed_of(found.ids, found.references, found.hypotheses, scores))
        listed = worst(found.ids, found.references, found.hypotheses, scores, normaliser, weights_of(weights), most)
        result |= {"worst": listed, "missed_numerals": pairs}
        lines += ["", *worst_text(listed, pairs, columns())]
    _remark(found)
    show(result, as_json, "\n".join([_table(whole, found), *lines]))


def weights_of(name: str) -> Weights:
    """Raises `InvalidError`."""
    known = {weights.name.lower(): weights for weights in Weights}
    if name not in known:
        raise InvalidError(f"weights '{name}' are unknown; accepted: {', '.join(known)}")
    return known[name]


def _source(path: Path) -> Source:
    try:
        return Source(str(path), path.read_bytes())
    except OSError as error:
        raise InvalidError(f"{path} cannot be read ({error.strerror}); accepted: a text file") from None


def _remark(found: Paired) -> None:
    """Says on stderr what was counted otherwise than one might think."""
    for remark in found.remarks:
        print(f"huidu: {remark}", file=sys.stderr)
    marked = [name for name, text in zip(found.ids, found.references, strict=True) if markup(text)]
    for names, what in (
        (found.missing, "without a hypothesis, all of them counted as deleted"),
        (found.unmatched, "that only the hypotheses have, not counted"),
        (marked, "with markup in their references, scored as it stands (normalised: <tags> and [tags] dropped)"),
    ):
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            print(
                f"huidu: {len(names)} {'id' if len(names) == 1 else 'ids'} {what}: {', '.join(names[:_NAMED])}{more}",
                file=sys.stderr,
            )


def _line(name: str, one: Score) -> str:
    rates = (one.raw.cer, one.normalised.cer, one.normalised.mixed_error_rate)
    shares = " ".join(f"{counts.rate:8.2%}" for counts in rates)
    return f"{shares} {one.numerals.errors:4d}/{one.numerals.reference:<4d} {name}"


def _table(whole: Score, found: Paired) -> str:
    lines = [f"{'':28}{'rate':>9}{'sub':>9}{'del':>9}{'ins':>9}{'reference':>11}"]
    for form, rates in (("raw", whole.raw), ("normalised", whole.normalised)):
        for label, counts in (
            ("CER", rates.cer),
            ("WER", rates.wer),
            ("mixed error rate", rates.mixed_error_rate),
        ):
            figures = (counts.substitutions, counts.deletions, counts.insertions)
            numbers = "".join(f"{figure:9d}" for figure in figures)
            lines.append(f"{f'{label}, {form}':28}{counts.rate:9.2%}{numbers}{counts.reference:11d}")
    numerals = whole.numerals
    lines.append(f"{'numerals':28}{numerals.rate:9.2%}{numerals.errors:9d} wrong{numerals.reference:23d}")
    lines.append(f"{len(found.ids)} sentences, {len(found.missing)} missing, {len(found.unmatched)} unmatched")
    return "\n".join(lines)
