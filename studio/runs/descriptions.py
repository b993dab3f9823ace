"""The descriptions of a run and of an experiment as HTML, their references still marks."""

from studio.runs.markdown import RENDERER_VERSION, render_markdown
from studio.runs.models import Description, Experiment, ExperimentDescription, Run


def description_of_run(run: Run) -> Description | None:
    """What is stored, rendered now, and not stored, where an older renderer made the HTML."""
    found: Description | None = getattr(run, "description_row", None)
    if found is not None and found.text and found.renderer_version != RENDERER_VERSION:
        found.html = render_markdown(found.text)
    return found


def description_of(experiment: Experiment) -> ExperimentDescription:
    """Its stored HTML (1 query); rendered now, and not stored, where that is missing or made by an
    older renderer: a text that came with the experiment's first run was never saved by a person."""
    found = ExperimentDescription.objects.filter(experiment=experiment).first()
    found = found or ExperimentDescription(experiment=experiment)
    found.experiment = experiment
    if experiment.description and found.renderer_version != RENDERER_VERSION:
        found.html = render_markdown(experiment.description)
    return found
