import re
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from songgenre.errors import UserError
from songgenre.params import load_params

ROOT = Path(__file__).parents[1]


@pytest.fixture
def content() -> dict[str, Any]:
    return YAML(typ="safe", pure=True).load(ROOT / "params.yaml")


def write(content: dict[str, Any], folder: Path) -> Path:
    path = folder / "params.yaml"
    YAML().dump(content, path)
    return path


def edited(folder: Path, old: str, new: str) -> Path:
    """The project's file with one line changed, as a person would."""
    text, changes = re.subn(rf"^  {old}.*$", f"  {new}", (ROOT / "params.yaml").read_text("utf-8"), flags=re.MULTILINE)
    assert changes == 1
    path = folder / "params.yaml"
    path.write_text(text, "utf-8")
    return path


def test_section_is_what_the_file_says(content: dict[str, Any]) -> None:
    params = load_params(ROOT / "params.yaml")
    assert {name: params.section(name) for name in content} == content


def test_unknown_section_names_the_known_ones() -> None:
    with pytest.raises(UserError, match=r"params\.yaml.*'scrapping'.*\bscraping\b"):
        load_params(ROOT / "params.yaml").section("scrapping")


@pytest.mark.parametrize("value", ["1e-3", "0.001", "1.0E-3"])
def test_scientific_notation_is_a_number(tmp_path: Path, value: str) -> None:
    path = edited(tmp_path, "learning_rate: 0.003", f"learning_rate: {value}")
    assert load_params(path).cnn.learning_rate == 0.001


@pytest.mark.parametrize("word", ["no", "off", "yes"])
def test_no_is_a_string(tmp_path: Path, word: str) -> None:
    path = edited(tmp_path, "compared_genres:", f"compared_genres: [{word}, jazz]")
    assert load_params(path).eda.compared_genres == [word, "jazz"]


def test_whole_number_is_fine_where_a_fraction_may_stand(tmp_path: Path) -> None:
    assert load_params(edited(tmp_path, "clip_duration_s:", "clip_duration_s: 30")).wrangling.clip_duration_s == 30


@pytest.mark.parametrize(
    ("section", "name", "value"),
    [
        ("scraping.demo", "seed", 1.5),
        ("scraping.demo", "seed", -1),
        ("scraping.demo", "songs_per_genre", "48"),
        ("scraping", "source", "internet"),
        ("scraping", "genre_from", "title"),
        ("scraping", "genre_names", {"Rap": ""}),
        ("scraping", "genre_names", None),
        ("scraping.fma", "size", "full"),
        ("scraping.fma", "url", "os.unil.cloud.switch.ch/fma"),
        ("scraping.site", "name", "../shop"),
        ("scraping.site", "listing_urls", {}),
        ("scraping.site", "listing_urls", {"rock": ["file:///etc/passwd"]}),
        ("scraping.site", "listing_urls", {"rock": []}),
        ("scraping.site", "song_url_pattern", "(["),
        ("scraping.site", "next_page_pattern", "*"),
        ("scraping.crawl", "retries", -1),
        ("scraping.crawl", "max_file_mb", 0.0),
        ("scraping.crawl", "autothrottle", "no"),
        ("wrangling", "clip_duration_s", float("inf")),
        ("wrangling", "seed", 2**40),
        ("wrangling", "split", "random"),
        ("wrangling", "balance_genres", "yes"),
        ("wrangling", "silence_threshold_db", 0.0),
        ("wrangling", "multi_genre", "both"),
        ("wrangling", "validation_fraction", 0.0),
        ("wrangling", "validation_fraction", 1.0),
        ("wrangling", "test_fraction", 0.0),
        ("eda", "compared_genres", ["rock"]),
        ("eda", "compared_genres", ["rock", "rock"]),
        ("features", "sample_rate", 11025),
        ("features", "n_fft", "2048"),
        ("features", "sample_rate", 10**9),
        ("sklearn", "folds", 1),
        ("sklearn", "folds", True),
        ("sklearn", "grids", {}),
        ("sklearn", "grids", {"baseline": {}, "svm": {"C": []}}),
        ("sklearn", "grids", {"baseline": {}, "svm": {"C": [[1.0]]}}),
        ("sklearn", "grids", {"baseline": {}, "svm": {"C": [float("nan")]}}),
        ("cnn", "folds", 1),
        ("cnn.network", "dropout", 1.0),
        ("cnn.network", "filters", []),
        ("cnn", "epochs", None),
        ("evaluation", "bootstrap_samples", 10),
        ("compute", "scheduler", "host:8786"),
        ("compute", "scheduler", "http://host:8786"),
        ("compute", "audio_url", None),
    ],
)
def test_wrong_value_is_named(content: dict[str, Any], tmp_path: Path, section: str, name: str, value: Any) -> None:
    inner = content
    for part in section.split("."):
        inner = inner[part]
    assert name in inner
    inner[name] = value
    with pytest.raises(UserError) as error:
        load_params(write(content, tmp_path))
    assert f"{section}.{name}" in str(error.value)
    assert str(tmp_path / "params.yaml") in str(error.value)


def test_nearest_name_is_suggested(content: dict[str, Any], tmp_path: Path) -> None:
    content["sklearn"]["soft_voting_members"] = ["logistic_regresion"]
    with pytest.raises(UserError, match=r"Did you mean 'logistic_regression'"):
        load_params(write(content, tmp_path))
    content["sklearn"]["soft_voting_members"] = ["svm"]
    content["evaluation"]["ensemble"] = ["soft-voting"]
    with pytest.raises(UserError, match=r"Did you mean 'soft_voting'"):
        load_params(write(content, tmp_path))


def test_only_commands_read_the_parameters() -> None:
    package = ROOT / "src" / "songgenre"
    readers = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        if re.search(r"(?<!def )load_params\(", path.read_text())
    }
    assert readers == {"cli.py", "notebook/runner.py", "predict/loading.py", "predict/similar.py", "report/cards.py"}


@pytest.mark.parametrize(
    ("section", "name", "value", "other"),
    [
        ("features", "hop_length", 4096, "n_fft"),
        ("features", "n_mels", 1025, "n_fft"),
        ("cnn.sampling", "crop_frames", 1293, "clip of 30 s"),
        ("cnn.network", "filters", [8] * 7, "crop_frames"),
        ("cnn.network", "filters", [8] * 8, "crop_frames"),
    ],
)
def test_values_that_do_not_fit_together_are_refused(
    content: dict[str, Any], tmp_path: Path, section: str, name: str, value: Any, other: str
) -> None:
    inner = content
    for part in section.split("."):
        inner = inner[part]
    inner[name] = value
    with pytest.raises(UserError, match=rf"(?s){name}.*{other}|{other}.*{name}"):
        load_params(write(content, tmp_path))


def test_an_unknown_parameter_gets_a_suggestion(content: dict[str, Any], tmp_path: Path) -> None:
    content["cnn"]["network"]["filter"] = [16]
    with pytest.raises(UserError, match=r"cnn\.network\.filter: .*\bfilters\b"):
        load_params(write(content, tmp_path))


def test_every_problem_is_named_at_once(content: dict[str, Any], tmp_path: Path) -> None:
    content["cnn"]["epoch"] = 3
    del content["features"]["n_fft"]
    del content["evaluation"]
    content["more"] = {}
    with pytest.raises(UserError) as error:
        load_params(write(content, tmp_path))
    for problem in ("cnn.epoch: ", "features.n_fft: ", "evaluation: ", "more: "):
        assert problem in str(error.value)


def test_something_must_be_left_to_train_on(content: dict[str, Any], tmp_path: Path) -> None:
    content["wrangling"] |= {"validation_fraction": 0.5, "test_fraction": 0.5}
    with pytest.raises(UserError, match=r"validation_fraction \+ test_fraction"):
        load_params(write(content, tmp_path))


@pytest.mark.parametrize(
    ("section", "name", "members"),
    [
        ("sklearn", "soft_voting_members", ["svm", "perceptron"]),
        ("evaluation", "ensemble", ["cnn", "perceptron"]),
    ],
)
def test_members_are_models_that_are_trained(
    content: dict[str, Any], tmp_path: Path, section: str, name: str, members: list[str]
) -> None:
    content[section][name] = members
    with pytest.raises(UserError, match=rf"{section}(.|\n)*{name}.*perceptron"):
        load_params(write(content, tmp_path))


@pytest.mark.parametrize(("section", "name"), [("sklearn", "soft_voting_members"), ("evaluation", "ensemble")])
def test_member_that_is_named_twice_is_refused(
    content: dict[str, Any], tmp_path: Path, section: str, name: str
) -> None:
    content[section][name] *= 2
    with pytest.raises(UserError, match=rf"{name}.*once"):
        load_params(write(content, tmp_path))


def test_ensemble_may_not_vote_with_votes_that_are_not_cast(content: dict[str, Any], tmp_path: Path) -> None:
    content["sklearn"]["soft_voting_members"] = []
    with pytest.raises(UserError, match=r"ensemble.*soft_voting"):
        load_params(write(content, tmp_path))


def test_source_folder_needs_a_folder(content: dict[str, Any], tmp_path: Path) -> None:
    content["scraping"]["source"] = "folder"
    with pytest.raises(UserError, match=r"params\.yaml(.|\n)*\bsource\b.*\bfolder\b"):
        load_params(write(content, tmp_path))


def test_cluster_that_reads_audio_elsewhere_needs_a_cache_elsewhere(content: dict[str, Any], tmp_path: Path) -> None:
    content["compute"] |= {"scheduler": "tcp://host:8786", "audio_url": "s3://bucket/audio"}
    with pytest.raises(UserError, match=r"params\.yaml(.|\n)*\bcompute\b.*\bcache_url\b"):
        load_params(write(content, tmp_path))


def test_alias_of_itself_and_a_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "params.yaml"
    path.write_text("a: &a\n  b: *a\n")
    with pytest.raises(UserError, match=r"params\.yaml.*alias"):
        load_params(path)
    with pytest.raises(UserError, match=re.escape(str(tmp_path))):
        load_params(tmp_path)


LAUGHS = "a0: &a0 [x, x]\n" + "".join(f"a{n}: &a{n} [{', '.join(9 * [f'*a{n - 1}'])}]\n" for n in range(1, 12))


@pytest.mark.parametrize(
    "text",
    [
        LAUGHS,
        f"a: {'[' * 20_000}",
        f"a: {'9' * 5_000}",
        "a: 2026-13-45",
        "a: !!int abc",
        "a: !!timestamp abc",
        "a: !!python/object/apply:os.system [ls]",
        "? [1, 2]\n: 3",
    ],
)
def test_content_that_yaml_cannot_make_values_of_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml"):
        load_params(path)


@pytest.mark.parametrize("number", [".inf", "-.inf", ".nan", "1e999"])
def test_number_that_is_not_finite_is_refused(tmp_path: Path, number: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(re.sub("timeout_s: .*", f"timeout_s: {number}", (ROOT / "params.yaml").read_text()))
    with pytest.raises(UserError, match="timeout_s"):
        load_params(path)


@pytest.mark.parametrize("text", ["a: [1", "a: 1\na: 2", "\ta: 1", "a: \0"])
def test_invalid_yaml_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=r"params\.yaml.*YAML"):
        load_params(path)


@pytest.mark.parametrize(("text", "value"), [("", "None"), ("a song", "'a song'"), ("- 1", "[1]")])
def test_yaml_that_is_no_mapping_names_the_file(tmp_path: Path, text: str, value: str) -> None:
    path = tmp_path / "params.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(value)) as error:
        load_params(path)
    assert str(path) in str(error.value)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=re.escape(str(tmp_path / "params.yaml"))) as error:
        load_params(tmp_path / "params.yaml")
    assert isinstance(error.value.__context__, FileNotFoundError)


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("  url: https.*", "  url: https://anna:pa55w0rd@host/fma/", "scraping.fma.url"),
        ("    rock: .*", "    rock: [https://host/rock?token=pa55w0rd]", "scraping.site.listing_urls.rock"),
        ('cache_url: "".*', "cache_url: s3://AKIA:pa55w0rd@bucket/features", "compute.cache_url"),
    ],
)
def test_address_with_a_secret_is_refused_and_not_repeated(tmp_path: Path, old: str, new: str, name: str) -> None:
    with pytest.raises(UserError, match=rf"params\.yaml.*\b{re.escape(name)}\b.*password") as error:
        load_params(edited(tmp_path, old, new))
    assert "pa55w0rd" not in str(error.value)


def test_secret_in_a_value_that_does_not_fit_is_not_repeated(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"compute\.scheduler.*tcp://\*\*\*@host") as error:
        load_params(edited(tmp_path, "scheduler: null.*", "scheduler: at tcp://anna:pa55w0rd@host"))
    assert "pa55w0rd" not in str(error.value)


def test_models_are_left_out_by_the_number_of_training_songs_and_genres() -> None:
    params = load_params(ROOT / "params.yaml")
    limits = {"min_songs": {"sgd": 11, "perceptron": 1}, "max_songs": {"svm": 10}, "max_genres": {"sgd": 5, "svm": 5}}
    sklearn = params.sklearn.model_copy(update=limits)
    assert set(sklearn.left_out(10, 5)) == {"sgd"}
    assert set(sklearn.left_out(11, 5)) == {"svm"}
    assert sklearn.left_out(10, 6) == {
        "svm": "more than 5 genres",
        "sgd": "fewer than 11 training songs and more than 5 genres",
    }
    assert sklearn.voters(10, 5) == [name for name in sklearn.soft_voting_members if name != "sgd"]
    assert "svm" not in sklearn.voters(11, 5)
