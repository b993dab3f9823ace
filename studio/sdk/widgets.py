"""`from studio.sdk.widgets import RunDetails`: where samples of the original look for it."""

from studio.sdk.notebook import RunDetails

__all__ = ["RunDetails"]
