"""The answers to images: a confusion matrix whose cells open their images, and galleries of mistakes."""

from collections.abc import Sequence

import torch
from torch import Tensor

from cnn_cli.report.confusion import MAX_CLASSES, worst_pairs
from cnn_cli.report.html.markup import Child, Markup, element, join
from cnn_cli.report.html.page import note, scrolled, section, table
from cnn_cli.report.html.pixels import MAX_SIDE, gallery, labeled_image
from cnn_cli.training.evaluation import Evaluation

MAX_MISTAKES = 24
"""Upper limit of images in a gallery."""

MAX_RIGHT = 12
"""Upper limit of correct answers in a gallery, and of images that a cell of the matrix opens."""

MAX_PIXELS = 1_000_000
"""Upper limit of pixels that all cells open together, about a megabyte as PNGs of digits."""

Cells = dict[tuple[int, int], Tensor]
"""The indices of the images that a cell opens, by true class and answer."""


def confusion(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], evaluation: Evaluation | None
) -> Markup:
    """Return the confusion matrix; of many classes, the most frequent mistakes.

    Args:
        matrix: counts; rows are true classes, columns are answers.
        classes: the names of the rows and columns.
        evaluation: the images, which the cells open; None where they are not available.
    """
    is_matrix = len(classes) <= MAX_CLASSES
    numbers = {name: index for index, name in enumerate(classes)}
    pairs = [(numbers[pair.true], numbers[pair.answered]) for pair in worst_pairs(matrix, classes)]
    every = [(row, column) for row in range(len(classes)) for column in range(len(classes))]
    cells = _cells(evaluation, every if is_matrix else pairs) if evaluation else {}
    opens = note("A count opens its images, those with the most confident answer first.") if cells else None
    title = "Confusion matrix" if is_matrix else "Most frequent mistakes"
    counts = _matrix(matrix, classes, cells) if is_matrix else _pairs(matrix, classes, cells)
    popovers = [
        _popover(cell, indices, evaluation, matrix, classes) for cell, indices in cells.items() if evaluation
    ]
    return section(title, opens, counts, popovers)


def _cells(evaluation: Evaluation, cells: Sequence[tuple[int, int]]) -> Cells:
    """Return the images of each cell that has any, up to a limit that is the same for all cells."""
    labels, answers = evaluation.images.labels, evaluation.answers
    found = {}
    for true, answer in cells:
        indices = ((labels == true) & (answers == answer)).nonzero().squeeze(1)
        if len(indices):
            # Of the right answers, the least certain ones are worth a look.
            found[true, answer] = evaluation.by_confidence(indices, descending=true != answer)
    pixels = min(MAX_SIDE**2, evaluation.images.store[0, 0].numel()) * evaluation.images.store.shape[1]
    limit = max(1, min(MAX_RIGHT, MAX_PIXELS // (pixels * max(1, len(found)))))
    return {cell: indices[:limit] for cell, indices in found.items()}


def _matrix(matrix: Sequence[Sequence[int]], classes: Sequence[str], cells: Cells) -> Markup:
    head = [
        element("td", "answer → true ↓", class_="corner"),
        [element("th", name, scope="col") for name in classes],
    ]
    rows = [
        element(
            "tr",
            element("th", name, scope="row"),
            [_count_cell(matrix, classes, (row, column), cells) for column in range(len(classes))],
        )
        for row, name in enumerate(classes)
    ]
    content = element("thead", element("tr", head)), element("tbody", rows)
    return scrolled("confusion matrix", element("table", content, class_="matrix"))


def _count_cell(
    matrix: Sequence[Sequence[int]], classes: Sequence[str], cell: tuple[int, int], cells: Cells
) -> Markup:
    row, column = cell
    count = matrix[row][column]
    # A share to the power 0.4 shows rare mistakes.
    share = (count / max(1, sum(matrix[row]))) ** 0.4
    kind = "zero" if not count else "right" if row == column else "wrong"
    return element("td", _count(count, classes, cell, cells), class_=kind, style=f"--share: {share:.3f}")


def _count(count: int, classes: Sequence[str], cell: tuple[int, int], cells: Cells) -> Markup:
    """Return a count: a button that opens images if there are any."""
    if cell not in cells:
        return join(f"{count:,}")
    label = f"{count:,} images: {_reading(classes, cell)}"
    return element("button", f"{count:,}", type="button", popovertarget=_name(cell), aria_label=label)


def _pairs(matrix: Sequence[Sequence[int]], classes: Sequence[str], cells: Cells) -> Markup:
    numbers = {name: index for index, name in enumerate(classes)}
    rows: list[list[Child]] = [
        [
            pair.true,
            pair.answered,
            _count(pair.count, classes, (numbers[pair.true], numbers[pair.answered]), cells),
            f"{pair.share:.2%}",
        ]
        for pair in worst_pairs(matrix, classes)
    ]
    return table(
        ["true", "answer", "images", "share of the class"], rows, caption="most frequent mistakes", names=2
    )


def _popover(
    cell: tuple[int, int],
    indices: Tensor,
    evaluation: Evaluation,
    matrix: Sequence[Sequence[int]],
    classes: Sequence[str],
) -> Markup:
    row, column = cell
    count = matrix[row][column]
    limit = f"; {len(indices)} of {count:,} images" if len(indices) < count else ""
    order = "the least certain first" if row == column else "the most confident first"
    close = element(
        "button",
        "Close",
        type="button",
        popovertarget=_name(cell),
        popovertargetaction="hide",
        class_="close",
    )
    return element(
        "div",
        element("h3", _reading(classes, cell)),
        note(f"{order}{limit}") if count > 1 else None,
        gallery(answered_images(evaluation, indices, classes)),
        close,
        id=_name(cell),
        popover="auto",
    )


def _name(cell: tuple[int, int]) -> str:
    return f"cell-{cell[0]}-{cell[1]}"


def _reading(classes: Sequence[str], cell: tuple[int, int]) -> str:
    true, answer = (classes[index] for index in cell)
    return f"{true}, read correctly" if cell[0] == cell[1] else f"{true} read as {answer}"


def answered_images(evaluation: Evaluation, indices: Tensor, classes: Sequence[str]) -> list[Markup]:
    """Return the images at `indices` int64 [n], each with its true class, its answer and the confidence."""
    confidence, answers = evaluation.probabilities[indices].max(1)
    labels = evaluation.images.labels[indices]
    pixels = evaluation.images.take(indices).cpu().numpy()
    columns = pixels, indices.tolist(), labels.tolist(), answers.tolist(), confidence.tolist()
    return [
        labeled_image(
            image,
            f"image {number}: {_reading(classes, (true, answer))}",
            (_reading(classes, (true, answer)) if true != answer else classes[true], f"{share:.1%}"),
        )
        for image, number, true, answer, share in zip(*columns, strict=True)
    ]


def mistakes(evaluation: Evaluation, classes: Sequence[str]) -> Markup:
    """Return the most confident and the least certain mistakes, and the least certain correct answers."""
    wrong = evaluation.worst(len(evaluation.images))
    rest = wrong[MAX_MISTAKES:].flip(0)[:MAX_MISTAKES]
    right = evaluation.by_confidence(evaluation.correct.nonzero().squeeze(1), descending=False)[:MAX_RIGHT]
    groups = (
        ("The most confident mistakes", wrong[:MAX_MISTAKES]),
        ("The least certain mistakes", rest),
        ("Right, but least certain", right),
    )
    content = [
        (element("h3", title), gallery(answered_images(evaluation, indices, classes)))
        for title, indices in groups
        if len(indices)
    ]
    return section(
        "Mistakes", note("No image is read wrongly.") if not len(wrong) else None, content, wide=True
    )


def hardest(evaluations: Sequence[Evaluation], count: int) -> tuple[Tensor, Tensor]:
    """Return indices int64 of up to `count` images that most evaluations read wrongly, and how many do.

    An image comes before another if more evaluations read it wrongly, or as many with more confidence.
    """
    wrong = torch.stack([~evaluation.correct for evaluation in evaluations]).sum(0)
    labels = evaluations[0].images.labels[:, None]
    doubt = sum(1 - evaluation.probabilities.gather(1, labels).squeeze(1) for evaluation in evaluations)
    order = (wrong + doubt / (len(evaluations) + 1)).argsort(descending=True, stable=True)
    order = order[wrong[order] > 0][:count]
    return order, wrong[order]
