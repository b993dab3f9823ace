"""Deleted views go for good after RECORD_DAYS; young ones and others stay."""

from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.utils import timezone

from studio.custom_views.actions import bring_back, delete_view
from studio.custom_views.models import CustomView, ViewEvent, ViewRevision
from studio.custom_views.tasks import forget
from tests import make
from tests.web.viewing import view_of

pytestmark = [pytest.mark.data, pytest.mark.django_db]


def test_what_was_deleted_long_ago_is_gone_and_its_history_stays(
    workspace: Any, people: Any
) -> None:
    by = make.actor(people.bob)
    old, young, kept = (view_of(workspace, people.bob, {}, name=name) for name in "ABC")
    delete_view(old, by=by)
    delete_view(young, by=by)
    long_ago = timezone.now() - timedelta(days=settings.RECORD_DAYS, minutes=1)
    CustomView.objects.filter(pk=old.pk).update(deleted_at=long_ago)

    forget()

    assert set(CustomView.objects.all()) == {young, kept}
    assert ViewRevision.objects.count() == 2
    assert ViewEvent.objects.filter(kind="deleted").count() == 2
    bring_back(young, by=by)
    assert CustomView.objects.get(pk=young.pk).deleted_at is None
