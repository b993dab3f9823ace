"""Addresses for those who run the studio."""

from django.urls import path

from studio.operations import pages

urlpatterns = [
    path("readyz", pages.readyz, name="readyz"),
    path("metrics", pages.metrics, name="metrics"),
]
