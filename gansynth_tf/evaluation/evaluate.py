"""One row of figures for a set of notes: how many are in tune, how diverse they are, how near to real ones."""

import numpy as np

from gansynth_tf.evaluation.diversity import diversity
from gansynth_tf.evaluation.pitch_metrics import in_tune_fraction, note_f0_cents

COLUMNS = ("in tune", "95 % interval", "median error", "diversity", "generated to real", "real to generated")


def measure_notes(
    waves: np.ndarray, pitches: np.ndarray, sample_rate: int, real: tuple[np.ndarray, np.ndarray] | None = None
) -> dict[str, float | int | None]:
    """Measures notes.

    Args:
        waves: [batch, samples].
        pitches: Asked MIDI pitches, [batch].
        sample_rate: Samples per second.
        real: Waves and pitches of real notes, for the distances; None leaves those out.

    Returns:
        `num_notes`, `in_tune` (share within 50 cents of the pitch, by pyin) with `in_tune_low` and `in_tune_high` (95 %
        Wilson interval), `median_cents` (absolute error), and of evaluation/diversity.py `diversity`,
        `generated_to_real`, `real_to_generated` (None where no pitch has two notes on both sides).
    """
    cents = note_f0_cents(waves, sample_rate, pitches)
    share = in_tune_fraction(cents)
    measured = np.abs(cents[np.isfinite(cents)])
    row: dict[str, float | int | None] = {
        "num_notes": len(waves),
        "in_tune": share.fraction,
        "in_tune_low": share.low,
        "in_tune_high": share.high,
        "median_cents": float(np.median(measured)) if measured.size else None,
        "diversity": None,
        "generated_to_real": None,
        "real_to_generated": None,
    }
    if real is not None:
        try:
            distances = diversity(waves, pitches, real[0], real[1], sample_rate)
        except ValueError:
            return row  # Too few notes of a pitch to compare.
        row |= {
            "diversity": distances.ratio,
            "generated_to_real": distances.generated_to_real,
            "real_to_generated": distances.real_to_generated,
        }
    return row


def format_table(rows: list[tuple[str, dict]]) -> str:
    """A Markdown table of rows that `measure_notes` gave, each with its name."""

    def cell(value: float | None, form: str) -> str:
        return "-" if value is None else format(value, form)

    lines = [f"| notes | {' | '.join(COLUMNS)} |", "|---" * (len(COLUMNS) + 1) + "|"]
    for name, row in rows:
        cells = (
            cell(row["in_tune"], ".2f"),
            f"{row['in_tune_low']:.2f} to {row['in_tune_high']:.2f}",
            f"{cell(row['median_cents'], '.0f')} cents",
            *(cell(row[key], ".2f") for key in ("diversity", "generated_to_real", "real_to_generated")),
        )
        lines.append(f"| {name} ({row.get('num_f0_notes', row['num_notes'])}) | {' | '.join(cells)} |")
    return "\n".join(lines)
