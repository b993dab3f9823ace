"""The description of an experiment, ready to be shown."""

from studio.runs.deeplinks import resolver
from studio.runs.markdown import RENDERER_VERSION, render_markdown
from studio.runs.models import Experiment, ExperimentDescription


def description_of(experiment: Experiment) -> ExperimentDescription:
    """Its stored HTML (1 query); rendered now, and not stored, where that is missing or made by an
    older renderer: a text that came with the experiment's first run was never saved by a person."""
    found = ExperimentDescription.objects.filter(experiment=experiment).first()
    found = found or ExperimentDescription(experiment=experiment)
    found.experiment = experiment
    if experiment.description and found.renderer_version != RENDERER_VERSION:
        found.html = render_markdown(experiment.description, links=resolver(experiment))
    return found
