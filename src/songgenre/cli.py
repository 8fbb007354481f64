"""The commands."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.markup import escape

from songgenre.errors import REMEDIES, UserError
from songgenre.paths import project
from songgenre.secrecy import without_secrets

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
notebook = typer.Typer(no_args_is_help=True, help="Run the notebooks of the pipeline.")
report = typer.Typer(no_args_is_help=True, help="The report site.")
app.add_typer(notebook, name="notebook")
demo = typer.Typer(no_args_is_help=True, help="The record shop of invented music.")
app.add_typer(report, name="report")
app.add_typer(demo, name="demo")
pretrained = typer.Typer(no_args_is_help=True, help="The pretrained networks, and the model on top that ships.")
app.add_typer(pretrained, name="pretrained")


@app.callback()
def songgenre() -> None:
    """Classify songs by genre."""


@notebook.command("run")
def notebook_run(name: Annotated[str, typer.Argument(help="For example 04_features.")]) -> None:
    """Execute a notebook with its section of params.yaml, as its DVC stage does."""
    from songgenre.notebook import runner

    runner.run(project(), name, Console(stderr=True))


@report.command("build")
def report_build() -> None:
    """Build the report site from the executed notebooks and the metrics."""
    from songgenre.report import site

    typer.echo(site.build(project()))


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
        export.export(project(), to)
    if pdf is not None:
        export.print_pdf(project(), pdf)


@report.command("slides")
def report_slides(to: Annotated[Path, typer.Option(help="The file to write.")] = Path("slides.html")) -> None:
    """Write the story as slides: one file that needs no network."""
    from songgenre.report import slides

    slides.write_slides(project(), to)
    typer.echo(to.resolve())


@report.command("results")
def report_results(name: Annotated[str, typer.Argument(help="Of the corpus, for example demo.")]) -> None:
    """Keep the results of the last run in docs/results, and show them in the README."""
    from songgenre import results

    typer.echo(results.keep(project(), name))


@demo.command("serve")
def demo_serve(port: Annotated[int, typer.Option(help="0 for any that is free.")] = 8000) -> None:
    """Open the record shop on this machine, to look at and to listen to."""
    from songgenre import params
    from songgenre.demo.corpus import plan_corpus
    from songgenre.demo.server import serve

    recordings = plan_corpus(**params.load(project().params).section("scraping")["demo"])
    serve(recordings, port, lambda url: typer.echo(f"The shop is open at {url}/, until you press Ctrl-C."))


@pretrained.command("download")
def pretrained_download() -> None:
    """Keep the published wheel of the networks in data/cache/wheels, so that the pipeline needs no network."""
    from songgenre.models import weights

    weights.download(project().wheels)


@pretrained.command("fetch")
def pretrained_fetch() -> None:
    """Write the weights of the networks and their licence to data/pretrained; downloads them if need be."""
    from songgenre.models import weights

    here = project()
    weights.fetch(here.wheels, here.pretrained)


@pretrained.command("train-head")
def pretrained_train_head() -> None:
    """Train the model that ships on the songs of this project, once the stage transfer has run."""
    from songgenre import params
    from songgenre.models import shipping

    here = project()
    settings = params.load(here.params).transfer
    typer.echo(shipping.train_head(here, settings.shrinkage, settings.folds, settings.seed))


def main() -> None:
    """Run the command line; an error that a user can mend is a message, not a traceback."""
    try:
        app()
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        _fail(f"{error}. {REMEDIES[error.errno]}")
    except UserError as error:
        _fail(str(error))


def _fail(message: str) -> NoReturn:
    text = f"[bold red]Error:[/] {escape(without_secrets(message))}"
    Console(stderr=True).print(text, highlight=False, soft_wrap=True)
    raise SystemExit(1) from None
