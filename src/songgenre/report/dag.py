"""Layout of the pipeline as a graph: stages in columns, each after the stages that it depends on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

RUN = "songgenre notebook run "
HORIZONTAL, VERTICAL = "beside", "below"

Point = tuple[float, float]


class Step(NamedTuple):
    """A stage of ``dvc.yaml``.

    Parameters
    ----------
    name, description : str
        Name of the stage, and one sentence about it.
    notebook : str or None
        Notebook that the stage runs, such as ``06_cnn``; None if it runs another command.
    after : tuple of str
        Direct dependencies: stages whose outputs the stage reads, without dependencies of these dependencies.
    """

    name: str
    description: str
    notebook: str | None
    after: tuple[str, ...]


class Node(NamedTuple):
    """A step and the middle of its box.

    Parameters
    ----------
    step : Step
        Stage that the box shows.
    x, y : float
        Middle of the box, in user units of the SVG.
    """

    step: Step
    x: float
    y: float


class Drawing(NamedTuple):
    """The graph in the user units of an SVG.

    Parameters
    ----------
    direction : str
        `HORIZONTAL`: from left to right; `VERTICAL`: from top to bottom, for narrow screens.
    width, height : float
        Size of the drawing.
    box : (float, float)
        Width and height of a node.
    nodes : list of Node
        Stages with their places.
    edges : list of str
        Dependencies, as the data of SVG paths.
    """

    direction: str
    width: float
    height: float
    box: tuple[float, float]
    nodes: list[Node]
    edges: list[str]


def read_steps(dvc_yaml: Path) -> list[Step]:
    """Read the stages of a pipeline, in the order of the file.

    Parameters
    ----------
    dvc_yaml : Path
        File ``dvc.yaml``.

    Returns
    -------
    list of Step
        Stages with their direct dependencies.
    """
    stages: dict[str, dict[str, Any]] = YAML(typ="safe", pure=True).load(dvc_yaml)["stages"] or {}
    makers = {out: name for name, stage in stages.items() for out in _outs(stage)}
    needs = {name: {makers[dep] for dep in stage.get("deps", []) if dep in makers} for name, stage in stages.items()}
    order = list(stages)
    return [
        Step(
            name,
            stage.get("desc", name),
            stage["cmd"].partition(RUN)[2] or None,
            tuple(sorted(_nearest(needs, name), key=order.index)),
        )
        for name, stage in stages.items()
    ]


def draw(steps: Sequence[Step], direction: str) -> Drawing:
    """Lay out the stages, each in the last column that its followers allow.

    Alternatives, such as two models, are therefore side by side.

    Parameters
    ----------
    steps : sequence of Step
        Stages of the pipeline.
    direction : str
        `HORIZONTAL` or `VERTICAL`.

    Returns
    -------
    Drawing
        Places of the stages, and curves from each stage to its followers.
    """
    box, (along, across) = ((116.0, 52.0), (164.0, 78.0)) if direction == HORIZONTAL else ((80.0, 52.0), (88.0, 88.0))
    half = (box[0] if direction == HORIZONTAL else box[1]) / 2
    columns = _columns(steps)
    rows = _rows(steps, columns)
    most = max((len(row) for row in rows), default=0)

    def point(column: int, key: tuple[str, str], side: int = 0) -> Point:
        """Compute the middle of a box, or of its side towards the previous (-1) or the next (1) column."""
        row = rows[column].index(key) - len(rows[column]) / 2 + 0.5
        u, v = along * (column + 0.5) + side * half, across * (row + most / 2)
        return (u, v) if direction == HORIZONTAL else (v, u)

    edges = []
    for step in steps:
        for before in step.after:
            between = [(column, (before, step.name)) for column in range(columns[before] + 1, columns[step.name])]
            stops = [(columns[before], (before, before)), *between, (columns[step.name], (step.name, step.name))]
            edges.append(_curve([(point(*stop, side=-1), point(*stop, side=1)) for stop in stops], direction))
    nodes = [Node(step, *point(columns[step.name], (step.name, step.name))) for step in steps]
    size = (along * len(rows), across * most)
    return Drawing(direction, *(size if direction == HORIZONTAL else size[::-1]), box, nodes, edges)


def _outs(stage: Mapping[str, Any]) -> list[str]:
    entries = [*stage.get("outs", []), *stage.get("metrics", []), *stage.get("plots", [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _nearest(needs: Mapping[str, set[str]], name: str) -> set[str]:
    return needs[name] - {far for near in needs[name] for far in _all_before(needs, near)}


def _all_before(needs: Mapping[str, set[str]], name: str) -> set[str]:
    return needs[name].union(*(_all_before(needs, before) for before in needs[name]))


def _columns(steps: Sequence[Step]) -> dict[str, int]:
    """Assign a column to each stage, as far to the right as its followers allow."""
    left: dict[str, int] = {}
    followers = {step.name: [other.name for other in steps if step.name in other.after] for step in steps}
    for name in TopologicalSorter(followers).static_order():
        left[name] = 1 + max((left[follower] for follower in followers[name]), default=-1)
    last = max(left.values(), default=0)
    return {name: last - steps_left for name, steps_left in left.items()}


def _rows(steps: Sequence[Step], columns: Mapping[str, int]) -> list[list[tuple[str, str]]]:
    """Order the content of each column from top to bottom.

    The key of a stage is twice its name; the key of an edge that passes through a column is its start and its end.
    """
    order = [step.name for step in steps]
    rows: list[list[tuple[str, str]]] = []
    for column in range(max(columns.values(), default=-1) + 1):
        keys = [(name, name) for name in order if columns[name] == column]
        keys += [
            (before, step.name)
            for step in steps
            for before in step.after
            if columns[before] < column < columns[step.name]
        ]
        befores = {key: _befores(steps, rows[-1] if rows else [], key) for key in keys}
        keys.sort(
            key=lambda key: (sum(befores[key]) / len(befores[key]) if befores[key] else len(order), order.index(key[1]))
        )
        rows.append(keys)
    return rows


def _befores(steps: Sequence[Step], previous: Sequence[tuple[str, str]], key: tuple[str, str]) -> list[int]:
    """List the rows of the previous column from which an edge leads to this key."""
    source, target = key
    after = next(step.after for step in steps if step.name == target)
    sources = after if source == target else (source,)
    return [row for row, (start, end) in enumerate(previous) if start in sources and end in (start, target)]


def _curve(stops: Sequence[tuple[Point, Point]], direction: str) -> str:
    """Draw a line from stop to stop, straight across each stop and curved between stops."""
    parts = [f"M{_pair(stops[0][1])}"]
    for (_, start), (end, out) in pairwise(stops):
        if direction == HORIZONTAL:
            middle = (start[0] + end[0]) / 2
            bends = (middle, start[1]), (middle, end[1])
        else:
            middle = (start[1] + end[1]) / 2
            bends = (start[0], middle), (end[0], middle)
        parts.append(f"C{_pair(bends[0])} {_pair(bends[1])} {_pair(end)}")
        if (end, out) != stops[-1]:
            parts.append(f"L{_pair(out)}")
    return "".join(parts)


def _pair(point: Point) -> str:
    return f"{point[0]:g},{point[1]:g}"
