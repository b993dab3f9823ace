"""What stays of a view, and what ends, when those it is about go away."""

from typing import Any

from django.db.models.signals import post_delete, pre_delete

from studio.accounts.models import Membership, User
from studio.custom_views.models import CustomView, ViewGrant
from studio.runs.models import Experiment


def connect() -> None:
    post_delete.connect(_end_grants, sender=Membership)
    pre_delete.connect(_remember_owner, sender=User)
    pre_delete.connect(_remember_experiment, sender=Experiment)


def _end_grants(instance: Membership, **_: Any) -> None:
    """Who is added to the workspace again later is another colleague than the one who was trusted
    with a view then."""
    ViewGrant.objects.filter(user=instance.user_id, view__workspace=instance.workspace_id).delete()


def _remember_owner(instance: User, **_: Any) -> None:
    CustomView.objects.filter(owner=instance).update(owner_name=instance.get_username())


def _remember_experiment(instance: Experiment, **_: Any) -> None:
    CustomView.objects.filter(experiment=instance).update(experiment_name=instance.name)
