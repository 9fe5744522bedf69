"""Where a browser finds what an asset made: its report, and the run that MLflow keeps of it."""

from pathlib import Path

import dagster as dg


def report_link(page: Path, root: Path) -> dg.MetadataValue:
    """Return the address of a page below ``reports/`` where somebody serves it, else the command that opens it.

    A browser refuses to follow a link from Dagster's pages to a file.

    Args:
        page: the file.
        root: the project's folder.
    """
    from editfoundry.tracking.report_pages import report_url

    address = report_url(page, root)
    opens = f"python3 -m webbrowser {page.resolve().as_uri()}"
    return dg.MetadataValue.url(address) if address else dg.MetadataValue.text(opens)


def mlflow_run_link(run_id: str | None, root: Path) -> dg.MetadataValue:
    """Return the page of a run where a server shows it, else the run's id; None stands for no run."""
    from editfoundry.tracking.mlflow_client import run_url

    if run_id is None:
        return dg.MetadataValue.text("none: MLflow has no run of it")
    page = run_url(run_id, root)
    return dg.MetadataValue.url(page) if page else dg.MetadataValue.text(run_id)


def mlflow_link(experiment: str, tag: str, value: str, root: Path) -> dg.MetadataValue:
    """Return the page of the newest run of an experiment that has a tag, see `mlflow_run_link`.

    A server that does not answer is said in the place of the page: what was made is made.
    """
    from editfoundry.errors import one_line
    from editfoundry.tracking.mlflow_client import find_run

    try:
        return mlflow_run_link(find_run(experiment, tag, value, root), root)
    except Exception as error:
        return dg.MetadataValue.text(f"not known: MLflow does not answer ({one_line(error, 200)})")
