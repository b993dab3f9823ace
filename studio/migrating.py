"""Migrations that make many tables, for databases that are new."""

from typing import Any

from django.db import migrations
from django.db.migrations.state import ProjectState


class MadeAtOnce(migrations.Migration):
    """A migration of which no step needs the models as they were before another: new tables, and
    what stands beside them. Each new model makes Django build all models related to it anew, which
    is most of the work of a first start; here they are built once, with all that are new."""

    def apply(
        self, project_state: ProjectState, schema_editor: Any, collect_sql: bool = False
    ) -> ProjectState:
        # Models that are built already would be built again with each one that is added.
        project_state.__dict__.pop("apps", None)
        self.mutate_state(project_state, preserve=False)
        for operation in self.operations:
            if operation.reduces_to_sql or not collect_sql:
                operation.database_forwards(
                    self.app_label, schema_editor, project_state, project_state
                )
        return project_state
