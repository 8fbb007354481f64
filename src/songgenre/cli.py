"""The commands."""

from __future__ import annotations

import signal
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Literal, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from songgenre.errors import ERRNO_HINTS, UserError
from songgenre.paths import Project
from songgenre.redaction import redact

app = typer.Typer(no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
notebook = typer.Typer(no_args_is_help=True, help="Run the notebooks of the pipeline.")
report = typer.Typer(no_args_is_help=True, help="The report site.")
app.add_typer(notebook, name="notebook")
demo = typer.Typer(no_args_is_help=True, help="The record shop of invented music.")
app.add_typer(report, name="report")
app.add_typer(demo, name="demo")
pretrained = typer.Typer(no_args_is_help=True, help="The pretrained networks.")
app.add_typer(pretrained, name="pretrained")
dev = typer.Typer(no_args_is_help=True, help="For maintainers: what is committed after a run.")
app.add_typer(dev, name="dev")


def _show_version(requested: bool) -> None:
    if requested:
        typer.echo(f"songgenre {version('song-genre-classification')}")
        raise typer.Exit


@app.callback()
def songgenre(
    show_version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Say which version this is.")
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

[bold]Exit code[/]

0 if every song was judged, 1 if one could not be, 2 if the command was not understood."""

SIMILAR_EXAMPLES = """[bold]Examples[/]

songgenre similar song.mp3

songgenre similar song.mp3 --count 3 --json"""


@app.command(epilog=PREDICT_EXAMPLES)
def predict(
    sources: Annotated[
        list[str],
        typer.Argument(metavar="FILE|DIR|URL|-", help="Songs, folders of songs, web addresses, - for audio on stdin."),
    ],
    model: Annotated[
        Literal["pretrained", "sklearn", "cnn", "transfer", "ensemble"],
        typer.Option(help="The one that ships, trained on real music; or one that `dvc repro` trained here."),
    ] = "pretrained",
    threshold: Annotated[float, typer.Option(min=0, max=1, help="An answer less probable than this is unsure.")] = 0.5,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a table.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write a page with player and picture over time, too."),
    ] = None,
    skip_hash_check: Annotated[
        bool, typer.Option("--skip-hash-check", help="Load a model that is not what its stage wrote.")
    ] = False,
) -> None:
    """Say which genre songs are, how probable that is, and how it changes over time.

    A song is heard in windows of 30 s (of the clips that the model was trained on), and the probabilities are averaged.
    Each letter of the strip is a window; a small one means that the model is unsure there.
    """
    if as_json and as_csv:
        raise typer.BadParameter("give one of the two", param_hint="--json, --csv")
    from songgenre.predict import command

    form: command.Form = "json" if as_json else "csv" if as_csv else "text"
    if not command.run(sources, model, threshold, form, html, skip_hash_check):
        raise typer.Exit(1)


@app.command(epilog=SIMILAR_EXAMPLES)
def similar(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="An audio file; of the corpus or any other.")],
    count: Annotated[int, typer.Option(min=1, help="How many songs.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object a line.")] = False,
) -> None:
    """Find the songs of the corpus that sound most like a file.

    Compared is what two pretrained networks hear in the middle of each song. A similarity of 1 is the same sound, 0 is
    as alike as two songs of the corpus are on average.
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
        str, typer.Option(help="Where to listen. 0.0.0.0: everybody who reaches this machine can use the page.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8000,
    model: Annotated[
        Literal["pretrained", "sklearn", "cnn", "transfer", "ensemble"], typer.Option(help="As of `songgenre predict`.")
    ] = "pretrained",
    threshold: Annotated[float, typer.Option(min=0, max=1, help="An answer less probable than this is unsure.")] = 0.5,
    max_mb: Annotated[int, typer.Option("--max-mb", min=1, help="A larger file is refused.")] = 50,
    max_minutes: Annotated[float, typer.Option("--max-minutes", min=0.1, help="A longer song is refused.")] = 20,
    skip_hash_check: Annotated[
        bool, typer.Option("--skip-hash-check", help="Load a model that is not what its stage wrote.")
    ] = False,
) -> None:
    """Open a page on this machine to drop songs on: hear them, and see what the model says over time.

    Nothing that is dropped is kept. Only this machine can reach the page, unless you name another --host; there is no
    password and no encryption.
    """
    from songgenre.serve import app as server

    if not server.is_loopback(host):
        Console(stderr=True).print(f"Everybody who reaches {host} can use this page.", highlight=False)
    settings = server.Settings(host, port, model, threshold, max_mb, max_minutes, skip_hash_check)
    server.serve(settings, lambda url: typer.echo(f"Drop a song on {url}, until you press Ctrl-C."))


def _notebooks() -> list[str]:
    try:
        return sorted(path.stem for path in Project.find().notebooks.glob("*.ipynb"))
    except UserError:
        return []


@notebook.command("run")
def notebook_run(
    name: Annotated[str, typer.Argument(help="For example 04_features.", autocompletion=_notebooks)],
) -> None:
    """Execute a notebook with its section of params.yaml, as its DVC stage does."""
    from songgenre.notebook import runner

    runner.run(Project.find(), name, Console(stderr=True))


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
) -> None:
    """Take the report site along: a copy with its excerpts of the songs, a zip to mail, a PDF to print."""
    from songgenre.report import export

    if to is None and pdf is None:
        raise UserError("Expected --to FOLDER, --to FILE.zip or --pdf FILE, but got neither.")
    if to is not None:
        export.export(Project.find(), to)
        _say_written(to)
    if pdf is not None:
        export.print_pdf(Project.find(), pdf)
        _say_written(pdf)


@report.command("slides")
def report_slides(to: Annotated[Path, typer.Option(help="The file to write.")] = Path("slides.html")) -> None:
    """Write the story as slides: one file that needs no network."""
    from songgenre.report import slides

    slides.write_slides(Project.find(), to)
    _say_written(to)


@demo.command("serve")
def demo_serve(port: Annotated[int, typer.Option(help="0 for any that is free.")] = 8000) -> None:
    """Open the record shop on this machine, to look at and to listen to."""
    from songgenre import params
    from songgenre.demo.corpus import plan_corpus
    from songgenre.demo.server import serve

    recordings = plan_corpus(**params.load_params(Project.find().params).section("scraping")["demo"])
    serve(recordings, port, lambda url: typer.echo(f"The shop is open at {url}/, until you press Ctrl-C."))


@pretrained.command("download")
def pretrained_download() -> None:
    """Keep the published wheel of the networks in data/cache/wheels, so that the pipeline needs no network."""
    from songgenre.models import musicnn_weights

    musicnn_weights.download_wheel(Project.find().wheels)


@pretrained.command("fetch")
def pretrained_fetch() -> None:
    """Write the weights of the networks and their licence to data/pretrained; downloads them if need be."""
    from songgenre.models import musicnn_weights

    project = Project.find()
    musicnn_weights.extract_weights(project.wheels, project.pretrained)
    _say_written(project.pretrained)


@dev.command("clean-notebooks")
def dev_clean_notebooks(
    files: Annotated[list[Path] | None, typer.Argument(help="Notebooks; all of the project by default.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Change nothing; an error if one is not clean.")] = False,
) -> None:
    """Take outputs, and all else that no person wrote, out of notebooks, as they are committed."""
    from songgenre.notebook.normalise import clean_file

    changed = [file for file in files or sorted(Project.find().notebooks.glob("*.ipynb")) if clean_file(file, check)]
    for file in changed:
        typer.echo(f"{file} {'is not clean' if check else 'was cleaned'}")
    if check and changed:
        raise UserError("Expected notebooks without outputs; clean them with `songgenre dev clean-notebooks`.")


@dev.command("cards")
def dev_cards() -> None:
    """Write the model card and the data card of the last run into docs."""
    from songgenre.report import cards

    for path in cards.write_cards(Project.find()):
        _say_written(path)


@dev.command("results")
def dev_results(name: Annotated[str, typer.Argument(help="Of the corpus, for example demo.")]) -> None:
    """Keep the results of the last run in docs/results, and show them in the README."""
    from songgenre.report import readme

    _say_written(readme.save_results(Project.find(), name))


@dev.command("train-head")
def dev_train_head() -> None:
    """Train the model that ships on the songs of this project, once the stage transfer has run."""
    from songgenre.models.pretrained.train import train_head
    from songgenre.params import load_params
    from songgenre.report.bundled_card import write_bundled_card

    project = Project.find()
    config = load_params(project.params).transfer
    _say_written(write_bundled_card(train_head(project, config), config))


@app.command()
def reproduce(
    into: Annotated[Path | None, typer.Option("--in", help="Where to rebuild; a temporary folder by default.")] = None,
    rebuilt: Annotated[
        Path | None, typer.Option("--with", help="A rebuild that is there, instead of a new one.")
    ] = None,
) -> None:
    """Rebuild what is committed from nothing, and explain every difference; an error if there is one."""
    from songgenre.reproduce import check as rebuilding

    if not rebuilding.reproduce(Project.find(), Console(), into, rebuilt):
        raise typer.Exit(1)


def main() -> None:
    """Run the command line; an error that a user can mend is a message, not a traceback."""
    for name in ("SIGTERM", "SIGHUP"):  # as Ctrl-C, so that nothing temporary is left
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.default_int_handler)
    try:
        app()
    except OSError as error:
        if error.errno not in ERRNO_HINTS:
            raise
        _fail(f"{error}. {ERRNO_HINTS[error.errno]}")
    except UserError as error:
        _fail(str(error))


def _say_written(path: Path) -> None:
    typer.echo(f"Wrote {path.resolve()}")


def _fail(message: str) -> NoReturn:
    text = f"[bold red]Error:[/] {escape(redact(message))}"
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)
    raise SystemExit(1) from None
