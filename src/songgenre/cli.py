"""The commands."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from songgenre.errors import UserError
from songgenre.paths import project

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
notebook = typer.Typer(no_args_is_help=True, help="Run the notebooks of the pipeline.")
report = typer.Typer(no_args_is_help=True, help="The report site.")
app.add_typer(notebook, name="notebook")
app.add_typer(report, name="report")


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
    from songgenre import report as site

    typer.echo(site.build(project()))


def main() -> None:
    """Run the command line; an error that a user can mend is a message, not a traceback."""
    try:
        app()
    except UserError as error:
        Console(stderr=True).print(f"[bold red]Error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
