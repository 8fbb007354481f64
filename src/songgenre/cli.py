"""The command line of the package."""

from __future__ import annotations

import io
import os
import sys
from concurrent.futures.process import BrokenProcessPool
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from songgenre.errors import ERRNO_HINTS, HINT_EXTRAS, HINT_MEMORY, UserError, did_you_mean
from songgenre.paths import MODEL_SUFFIX, Project, is_exported_model
from songgenre.redaction import printable, redact
from songgenre.runtime import ending

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
notebook = typer.Typer(no_args_is_help=True, help="Run notebooks, and compare their parameters with params.yaml.")
report = typer.Typer(no_args_is_help=True, help="Build and export the report site.")
app.add_typer(notebook, name="notebook")
demo = typer.Typer(no_args_is_help=True, help="Open the web site of the invented songs.")
app.add_typer(report, name="report")
app.add_typer(demo, name="demo")
pretrained = typer.Typer(no_args_is_help=True, help="Get the weights of the pretrained networks.")
app.add_typer(pretrained, name="pretrained")
model_app = typer.Typer(no_args_is_help=True, help="Train a model on your genres and export it as one file.")
app.add_typer(model_app, name="model")
dev = typer.Typer(no_args_is_help=True, help="Commands for maintainers.")
app.add_typer(dev, name="dev")


MODELS = ("pretrained", "sklearn", "cnn", "transfer", "ensemble")


def _parse_model(name: str) -> str:
    if is_exported_model(name):
        return str(Path(name).resolve())
    if name not in MODELS:
        raise typer.BadParameter(
            f"no model is called {name!r}.{did_you_mean(name, MODELS)} Choose from {', '.join(MODELS)}, "
            f"or name a FILE{MODEL_SUFFIX}."
        )
    return name


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"songgenre {version('song-genre-classification')}")
        raise typer.Exit


@app.callback()
def songgenre(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Classify songs by genre."""


PREDICT_EXAMPLES = """[bold]Examples[/]

songgenre predict song.mp3

songgenre predict ~/Music --csv > genres.csv

songgenre predict https://example.org/song.mp3 --json

ffmpeg -i film.mkv -f wav - | songgenre predict -

songgenre predict song.mp3 --html song.html --threshold 0.7

songgenre predict song.mp3 --model ensemble

songgenre predict song.mp3 --model jazz.songgenre

[bold]Exit code[/]

0 if every song was predicted, 1 if a song failed or the model is unavailable, 2 if the command line is invalid."""

SIMILAR_EXAMPLES = """[bold]Examples[/]

songgenre similar song.mp3

songgenre similar song.mp3 --count 3 --json"""


def _model_option(about: str) -> Any:
    return typer.Option(
        parser=_parse_model, autocompletion=lambda: MODELS, metavar="|".join([*MODELS, "FILE"]), help=about
    )


Model = Annotated[str, _model_option("See `songgenre predict`.")]
Threshold = Annotated[float, typer.Option(min=0, max=1, help="Below this probability a prediction is unsure.")]
SkipHashCheck = Annotated[
    bool, typer.Option("--skip-hash-check", help="Load the model even if its hash differs from dvc.lock.")
]
Force = Annotated[bool, typer.Option("--force", help="Replace any existing regular file.")]


@app.command(epilog=PREDICT_EXAMPLES)
def predict(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="FILE|DIR|URL|-", help="Songs, folders or web addresses; - for audio on stdin."),
    ],
    model: Annotated[
        str,
        _model_option(
            "pretrained: the bundled model, trained on real music; FILE: a model of `songgenre model export`; the "
            "others: trained by `dvc repro` here."
        ),
    ] = "pretrained",
    threshold: Threshold = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print comma-separated values.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", dir_okay=False, help="Also write a page with a player and the probabilities over time."
        ),
    ] = None,
    force: Force = False,
    tags: Annotated[
        bool, typer.Option("--tags", help="Also list the tags that the network predicts for each window.")
    ] = False,
    skip_hash_check: SkipHashCheck = False,
) -> None:
    """Predict the genre of songs, with probabilities over time.

    A song is divided into windows as long as the clips on which the model was trained (30 s for the bundled model). Its
    probabilities are the means over its windows. Each letter of the output is a window; a lower-case letter marks a
    window whose prediction is unsure.
    """
    if as_json and as_csv:
        raise typer.BadParameter("choose one of them", param_hint="--json, --csv")
    from songgenre.predict import command

    form: command.Form = "json" if as_json else "csv" if as_csv else "text"
    if not command.run(sources, model, threshold, form, html, skip_hash_check, tags, force):
        raise typer.Exit(1)


TAG_EXAMPLES = """[bold]Examples[/]

songgenre tag ~/Music --csv genres.csv

songgenre tag ~/Music --playlists ~/Playlists

songgenre tag ~/Music --write-genre --dry-run

songgenre tag ~/Music --undo

[bold]Exit code[/]

0 if every song was predicted and every tag written, 1 if a song failed, 2 if the command line is invalid."""


@app.command(epilog=TAG_EXAMPLES)
def tag(
    library: Annotated[Path, typer.Argument(metavar="LIBRARY", help="A folder of music.")],
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a table of all songs; the name ends in .csv.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write one JSON object per song; the name ends in .jsonl.")
    ] = None,
    playlists: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write an M3U8 playlist for each genre into this folder.")
    ] = None,
    write_genre: Annotated[
        bool,
        typer.Option(
            "--write-genre", help="Write the genre into the tags of songs that are neither unsure nor outside."
        ),
    ] = False,
    undo: Annotated[bool, typer.Option("--undo", help="Restore the genres that --write-genre replaced.")] = False,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="List the tags that --write-genre or --undo would change, and change none."),
    ] = False,
    model: Model = "pretrained",
    threshold: Threshold = 0.5,
    journal: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Folder of the journal and the undo log; by default in ~/.local/state/songgenre."
        ),
    ] = None,
    skip_hash_check: SkipHashCheck = False,
    force: Force = False,
) -> None:
    """Predict a library of music, and write tables, playlists or the genre tags of its files.

    Each prediction is appended to a journal. Run again after an interruption or a change, the command predicts only
    songs that are new or changed, or whose model has changed.
    """
    from songgenre.library import command
    from songgenre.library.outputs import Outputs

    outputs = Outputs(csv, json, playlists)
    if dry_run and not (write_genre or undo):
        raise typer.BadParameter("needs --write-genre or --undo", param_hint="--dry-run")
    if undo and (write_genre or any(outputs)):
        raise typer.BadParameter(
            "cannot be combined with --write-genre, --csv, --json or --playlists", param_hint="--undo"
        )
    if undo:
        succeeded = command.undo(library, journal, dry_run)
    else:
        settings = command.ModelOptions(model, threshold, skip_hash_check)
        succeeded = command.run(library, settings, outputs, journal, write_genre, dry_run, force)
    if not succeeded:
        raise typer.Exit(1)


RUN_EXAMPLES = """[bold]Examples[/]

songgenre run

songgenre run --folder ~/Music"""


@app.command(epilog=RUN_EXAMPLES)
def run(
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Your folder of music; it is written into params.yaml as the source."),
    ] = None,
) -> None:
    """Run the stages that are out of date, also after changes in your folder of music.

    The command compares the names, sizes and times of the files in the folder with those of the last run, then runs
    `dvc repro`.
    """
    import dvc  # noqa: F401 - before anything is written

    from songgenre.params import load_params
    from songgenre.sources import own_music

    project = Project.find()
    if folder is not None:
        own_music.set_folder(project, folder)
    own_music.update_fingerprint(project, load_params(project.params).scraping)
    os.chdir(project.root)
    programs = Path(sys.executable).parent
    path = f"{programs}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    os.execve(sys.executable, [sys.executable, "-m", "dvc", "repro"], os.environ | {"PATH": path})


@app.command(epilog=SIMILAR_EXAMPLES)
def similar(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file; it need not be in the corpus.")],
    count: Annotated[int, typer.Option(min=1, help="Number of songs.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object per line.")] = False,
) -> None:
    """Find the songs of the corpus that sound most like a file.

    Similarity is the cosine between standardized musicnn embeddings of the central clip of each song: 1 for the same
    sound, 0 for an average pair of songs of the corpus.
    """
    from songgenre.predict import similar as corpus

    matches = corpus.find_similar(Project.find(), file, count)
    if as_json:
        typer.echo(matches.to_json(orient="records", lines=True, force_ascii=False).rstrip())
    else:
        Console().print(corpus.render_matches(matches))


@app.command()
def serve(
    host: Annotated[
        str,
        typer.Option(help="Address to listen on; with 0.0.0.0 anyone who can reach this machine can use the page."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")] = 8000,
    model: Model = "pretrained",
    threshold: Threshold = 0.5,
    max_mb: Annotated[int, typer.Option("--max-mb", min=1, help="Largest file, in megabytes.")] = 50,
    max_minutes: Annotated[float, typer.Option("--max-minutes", min=0.1, help="Longest song, in minutes.")] = 20,
    skip_hash_check: SkipHashCheck = False,
) -> None:
    """Open a web page on this machine: drop a song on it, listen, and see the predictions over time.

    The server deletes every song after prediction. Only this machine can reach the page unless you set --host; there is
    no password and no encryption.
    """
    if not host:
        raise typer.BadParameter("empty; name an address, 0.0.0.0 for all of this machine", param_hint="--host")
    from songgenre.serve import app as server
    from songgenre.sources.download import is_loopback

    if not is_loopback(host):
        warning = f"Everybody who reaches {printable(host)} can use this page."
        Console(stderr=True).print(warning, highlight=False, markup=False)
    settings = server.Settings(host, port, model, threshold, max_mb, max_minutes, skip_hash_check)
    server.serve(settings, lambda url: typer.echo(f"Open {url} and drop a song on the page. Stop with Ctrl-C."))


def _notebooks() -> list[str]:
    try:
        return sorted(path.stem for path in Project.find().notebooks.glob("*.ipynb"))
    except UserError:
        return []


@app.command()
def plan(
    songs: Annotated[int, typer.Option(min=1, help="Number of songs of the corpus.")],
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes, on this machine or a cluster of such machines; one per core.")
    ] = None,
) -> None:
    """Estimate time, memory and disk of each stage from rates that are measured now; exit code 1 if one cannot end."""
    import joblib

    from songgenre.models.embeddings import load_networks
    from songgenre.models.pipelines import check_models
    from songgenre.params import load_params
    from songgenre.plan.estimates import estimate_stages, find_obstacles, format_plan
    from songgenre.plan.rates import measure_rates
    from songgenre.predict.loading import pretrained_folder

    project = Project.find()
    params = load_params(project.params)
    check_models(params.sklearn)
    rates = measure_rates(project, params, load_networks(pretrained_folder()))
    estimates = estimate_stages(project, params, rates, songs, workers or joblib.cpu_count())
    typer.echo(format_plan(estimates))
    if obstacles := find_obstacles(estimates, project.root):
        raise UserError("\n".join(obstacles))


@notebook.command("run")
def notebook_run(
    name: Annotated[str, typer.Argument(help="For example 04_features.", autocompletion=_notebooks)],
) -> None:
    """Execute a notebook with its section of params.yaml, as its DVC stage does."""
    from songgenre.notebook import runner

    runner.run(Project.find(), name, Console(stderr=True))


@notebook.command("params")
def notebook_params(
    name: Annotated[str, typer.Argument(help="For example 04_features.", autocompletion=_notebooks)],
    write: Annotated[bool, typer.Option("--write", help="Write the values of the cell into params.yaml.")] = False,
) -> None:
    """Compare the parameters cell of a notebook with params.yaml, whose values the pipeline uses."""
    from songgenre.notebook import parameters
    from songgenre.params import load_params

    project = Project.find()
    differences = parameters.find_differences(project, name, load_params(project.params))
    typer.echo("\n".join(differences) or f"{name}: the parameters cell and params.yaml agree.")
    if write and differences:
        parameters.write_parameters(project, name)
        _say_written(project.params)


@report.command("build")
def report_build() -> None:
    """Build the report site from the executed notebooks and the metrics."""
    from songgenre.params import load_params
    from songgenre.report import site

    project = Project.find()
    _say_written(site.build(project, load_params(project.params).compute))


@report.command("export")
def report_export(
    to: Annotated[Path | None, typer.Option(help="A new folder, or a file that ends in .zip.")] = None,
    pdf: Annotated[Path | None, typer.Option(help="Print all pages into this file, with Chromium.")] = None,
    force: Force = False,
) -> None:
    """Export the report site with its excerpts: as a folder, a zip file or a PDF."""
    from songgenre.report import export

    if to is None and pdf is None:
        raise UserError("report export: no output is named. Use --to FOLDER, --to FILE.zip or --pdf FILE.")
    if to is not None:
        export.export(Project.find(), to, force)
        _say_written(to)
    if pdf is not None:
        export.print_pdf(Project.find(), pdf, force)
        _say_written(pdf)


@report.command("slides")
def report_slides(
    to: Annotated[Path, typer.Option(help="Output file.")] = Path("slides.html"), force: Force = False
) -> None:
    """Write slides of the reports as one self-contained file."""
    from songgenre.report import slides

    slides.write_slides(Project.find(), to, force)
    _say_written(to)


@demo.command("serve")
def demo_serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")] = 8000,
) -> None:
    """Open the demo record shop as a web site on this machine."""
    from songgenre import params
    from songgenre.demo.corpus import plan_corpus
    from songgenre.demo.server import serve

    recordings = plan_corpus(**params.load_params(Project.find().params).section("scraping")["demo"])
    serve(recordings, port, lambda url: typer.echo(f"The shop is open at {url}/. Stop with Ctrl-C."))


@pretrained.command("download")
def pretrained_download() -> None:
    """Download the musicnn wheel into data/cache/wheels, so that the pipeline needs no network."""
    from songgenre.models import musicnn_weights

    musicnn_weights.download_wheel(Project.find().wheels)


@pretrained.command("fetch")
def pretrained_fetch() -> None:
    """Extract the weights of the networks into data/pretrained; download the wheel if it is missing."""
    from songgenre.models import musicnn_weights
    from songgenre.params import load_params
    from songgenre.sources.own_music import check_source

    project = Project.find()
    check_source(project, load_params(project.params).scraping)
    musicnn_weights.extract_weights(project.wheels, project.pretrained)
    _say_written(project.pretrained)


MODEL_EXAMPLES = """[bold]Examples[/]

songgenre model export jazz --to jazz.songgenre

songgenre predict song.mp3 --model jazz.songgenre"""


@model_app.command("export", epilog=MODEL_EXAMPLES)
def model_export(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="Output file, which ends in .songgenre.")],
) -> None:
    """Train a classifier of musicnn embeddings on the songs of this project, and save it with its card in one file.

    The songs are those that the stage wrangling accepted. `songgenre predict --model FILE` uses the file on any
    machine, also without a project.
    """
    from songgenre.params import load_params
    from songgenre.predict.loading import pretrained_folder
    from songgenre.report.exported_model import export_model

    project = Project.find()
    seed = load_params(project.params).transfer.seed
    _say_written(export_model(project, name, to, pretrained_folder(), seed))


@dev.command("clean-notebooks")
def dev_clean_notebooks(
    files: Annotated[list[Path] | None, typer.Argument(help="Notebooks; all of the project by default.")] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with code 1 if a notebook is not clean.")
    ] = False,
) -> None:
    """Strip outputs, execution counts and editor metadata from notebooks."""
    from songgenre.notebook.normalise import clean_file

    changed = [file for file in files or sorted(Project.find().notebooks.glob("*.ipynb")) if clean_file(file, check)]
    for file in changed:
        typer.echo(f"{file} {'is not clean' if check else 'was cleaned'}")
    if check and changed:
        raise UserError("Notebooks are not clean. Run `songgenre dev clean-notebooks`.")


@dev.command("cards")
def dev_cards() -> None:
    """Write the model card and the data card of the last run into docs."""
    from songgenre.report import cards

    for path in cards.write_cards(Project.find()):
        _say_written(path)


@dev.command("results")
def dev_results(name: Annotated[str, typer.Argument(help="Name of the corpus, for example demo.")]) -> None:
    """Save the results of the last run in docs/results and add them to the README."""
    from songgenre.report import readme

    _say_written(readme.save_results(Project.find(), name))


@dev.command("train-head")
def dev_train_head(
    folder: Annotated[Path, typer.Argument(help="Songs on which the model is designed, with a tracks.csv.")],
    elsewhere: Annotated[Path, typer.Argument(help="Songs of other origin and other genres, with a tracks.csv.")],
) -> None:
    """Train and measure the bundled model, and write its weights and its card into the package."""
    from songgenre.params import load_params
    from songgenre.report.bundled_card import train_and_measure

    project = Project.find()
    seed = load_params(project.params).transfer.seed
    _say_written(train_and_measure(folder, elsewhere, project.pretrained, seed))


@dev.command("describe-bundled")
def dev_describe_bundled(
    folder: Annotated[Path, typer.Argument(help="Songs on which the model is designed, with a tracks.csv.")],
    elsewhere: Annotated[Path, typer.Argument(help="Songs of other origin and other genres, with a tracks.csv.")],
) -> None:
    """Measure the robustness of the bundled model, compare embeddings, and write docs/bundled_model.md."""
    from songgenre.params import load_params
    from songgenre.report.bundled_card import describe_design

    project = Project.find()
    seed, page = load_params(project.params).transfer.seed, project.root / "docs" / "bundled_model.md"
    _say_written(describe_design(folder, elsewhere, project.pretrained, seed, page))


@app.command()
def reproduce(
    into: Annotated[
        Path | None, typer.Option("--in", help="Folder to rebuild in; a temporary folder by default.")
    ] = None,
    rebuilt: Annotated[
        Path | None, typer.Option("--with", help="Compare with an existing rebuild instead of a new one.")
    ] = None,
) -> None:
    """Rebuild the pipeline of the current commit from scratch and report every difference (exit code 1 if any)."""
    from songgenre.reproduce import check as rebuilding

    if not rebuilding.reproduce(Project.find(), Console(), into, rebuilt):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; report an error that a user can fix as a message without a traceback."""
    _replace_closed_streams()
    ending.treat_as_interrupt("SIGTERM", "SIGHUP")
    ending.end_with_dvc()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name may have letters that the encoding lacks
    try:
        app()
    except OSError as error:
        if error.errno not in ERRNO_HINTS:
            raise
        _fail(f"{error}. {ERRNO_HINTS[error.errno]}")
    except UserError as error:
        _fail(str(error))
    except BrokenProcessPool:
        _fail(f"A process that decoded songs was stopped. {HINT_MEMORY}")
    except ModuleNotFoundError as error:
        if str(error.name).startswith("songgenre"):
            raise
        _fail(f"{error.name}: not installed. {HINT_EXTRAS}")


def _replace_closed_streams() -> None:
    """Open the null device where a standard stream is closed, so that no other file gets its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            if name != "stdin":
                setattr(sys, name, open(number, "w", closefd=False))  # noqa: SIM115


def _say_written(path: Path) -> None:
    typer.echo(f"Wrote {printable(str(path.resolve()))}")


def _fail(message: str) -> NoReturn:
    shown = "\n".join(map(printable, redact(message).split("\n")))
    text = f"[bold red]Error:[/] {escape(shown)}"
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)
    raise SystemExit(1) from None
