"""The drawn graph, against what DVC says of the pipeline and against plain geometry."""

import re
import subprocess
import sys
from pathlib import Path

import networkx
import numpy as np
import pytest

from songgenre.report.dag import HORIZONTAL, VERTICAL, Drawing, draw, read_steps

ROOT = Path(__file__).parents[2]


def points(path: str) -> np.ndarray:
    """Points along an SVG path of moves, lines and cubic curves [shape=(n, 2)]."""
    t = np.linspace(0, 1, 50)[:, np.newaxis]
    found = []
    for command, text in re.findall(r"([MLC])([^MLC]*)", path):
        pairs = np.array([[float(number) for number in pair.split(",")] for pair in text.split()])
        if command == "L":
            found.append((1 - t) * found[-1][-1] + t * pairs[0])
        elif command == "C":
            a, (b, c, d) = found[-1][-1], pairs
            found.append((1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d)
        else:
            found.append(pairs)
    return np.concatenate(found)


@pytest.fixture(params=[HORIZONTAL, VERTICAL])
def drawing(request: pytest.FixtureRequest) -> Drawing:
    return draw(read_steps(ROOT / "dvc.yaml"), request.param)


@pytest.mark.integration
def test_stages_hang_together_as_dvc_says_without_shortcuts() -> None:
    dvc = Path(sys.executable).with_name("dvc")
    said = subprocess.check_output([dvc, "dag", "--dot"], cwd=ROOT, text=True)
    edges = re.findall(r'"(\w+)" -> "(\w+)"', said)
    assert edges
    shortest = networkx.transitive_reduction(networkx.DiGraph(edges))
    assert {(before, step.name) for step in read_steps(ROOT / "dvc.yaml") for before in step.after} == set(
        shortest.edges
    )


def test_boxes_are_inside_and_apart(drawing: Drawing) -> None:
    w, h = drawing.box
    for node in drawing.nodes:
        assert w / 2 <= node.x <= drawing.width - w / 2
        assert h / 2 <= node.y <= drawing.height - h / 2
        for other in drawing.nodes:
            assert other is node or abs(other.x - node.x) > w or abs(other.y - node.y) > h


def test_every_edge_leads_from_box_to_box_and_through_none(drawing: Drawing) -> None:
    w, h = drawing.box
    centres = np.array([(node.x, node.y) for node in drawing.nodes])
    ends = {step.name: index for index, step in enumerate(node.step for node in drawing.nodes)}
    expected = [(ends[before], ends[node.step.name]) for node in drawing.nodes for before in node.step.after]
    assert len(drawing.edges) == len(expected)
    for edge, (start, end) in zip(drawing.edges, expected, strict=True):
        away = np.abs(points(edge)[:, np.newaxis] - centres) - [w / 2, h / 2]
        assert not (away < -1e-9).all(axis=2).any()
        touched = np.isclose(away.max(axis=2), 0)
        assert list(np.flatnonzero(touched[0])) == [start]
        assert list(np.flatnonzero(touched[-1])) == [end]


def test_alternatives_stand_side_by_side() -> None:
    nodes = {node.step.name: node for node in draw(read_steps(ROOT / "dvc.yaml"), HORIZONTAL).nodes}
    assert nodes["sklearn"].x == nodes["cnn"].x == nodes["transfer"].x
    assert nodes["scraping"].x < nodes["wrangling"].x < nodes["features"].x < nodes["cnn"].x < nodes["evaluation"].x


def test_no_stages_are_no_drawing(tmp_path: Path) -> None:
    (tmp_path / "dvc.yaml").write_text("stages: {}\n")
    assert draw(read_steps(tmp_path / "dvc.yaml"), HORIZONTAL).nodes == []
