"""The bar that `cnn eval --min-accuracy` sets."""

from typing import TYPE_CHECKING

from cnn_cli.errors import BelowBarError, CnnError, DataError

if TYPE_CHECKING:
    from cnn_cli.training.evaluation import Evaluation
    from cnn_cli.training.line_evaluation import LineEvaluation


def bar_error(evaluation: "Evaluation | LineEvaluation", bar: float) -> CnnError | None:
    """Return the error about an accuracy below the bar of --min-accuracy, 0..1; None if there is none."""
    if evaluation.is_fallback:
        return DataError(
            f"--min-accuracy {bar} applies to the requested data, but {evaluation.data} digits were used",
            hint="make the data available (cnn data get), or ask for data.name=synthetic",
        )
    if evaluation.accuracy < bar:
        return BelowBarError(f"accuracy {evaluation.accuracy:.2%} is below --min-accuracy {bar}")
    return None
