"""Every page. A URL starts with the workspace; `/` goes to the last-used one."""

from django.urls import path

from studio.web import (
    accounts,
    compute,
    experiments,
    files,
    health,
    run_actions,
    run_description,
    run_detail,
    run_list,
    run_logs,
    run_metrics,
)

W = "w/<slug:workspace>"
R = f"{W}/runs/<str:uid>"

urlpatterns = [
    path("", accounts.home, name="home"),
    path("healthz", health.healthz, name="healthz"),
    path("sign-in", accounts.sign_in, name="sign-in"),
    path("sign-out", accounts.sign_out, name="sign-out"),
    path(W, accounts.workspace_home, name="workspace"),
    path(f"{W}/experiments", experiments.experiment_list, name="experiment-list"),
    path(f"{W}/experiments/<str:name>", run_list.experiment_runs, name="experiment-runs"),
    path(f"{W}/compute", compute.compute, name="compute"),
    path(f"{W}/runs", run_list.run_list, name="run-list"),
    path(f"{W}/runs-live", run_list.run_list_live, name="run-list-live"),
    path(f"{W}/runs-newer", run_list.run_list_newer, name="run-list-newer"),
    path(R, run_detail.details, name="run-detail"),
    path(f"{R}/header", run_detail.header, name="run-header"),
    path(f"{R}/values", run_detail.values, name="run-values"),
    path(f"{R}/metrics", run_metrics.metrics, name="run-metrics"),
    path(f"{R}/metrics/figure", run_metrics.figure, name="run-figure"),
    path(f"{R}/metrics/table", run_metrics.table, name="run-metric-table"),
    path(f"{R}/metrics/csv", run_metrics.download, name="run-metric-csv"),
    path(f"{R}/images", run_detail.images, name="run-images"),
    path(f"{R}/children", run_detail.children, name="run-children"),
    path(f"{R}/logs", run_logs.logs, name="run-logs"),
    path(f"{R}/tree", run_logs.tree, name="run-tree"),
    path(f"{R}/log-piece", files.run_log_piece, name="run-log-piece"),
    path(f"{R}/zip", files.run_zip, name="run-zip"),
    path(f"{R}/files/<path:path>", files.run_file, name="run-file"),
    path(f"{R}/image/<path:path>", files.run_image, name="run-image"),
    path(f"{R}/history", run_detail.history, name="run-history"),
    path(f"{R}/cancel", run_actions.cancel, name="run-cancel"),
    path(f"{R}/kill", run_actions.kill, name="run-kill"),
    path(f"{R}/fail", run_actions.fail, name="run-fail"),
    path(f"{R}/star", run_actions.star, name="run-star"),
    path(f"{R}/name", run_actions.rename, name="run-rename"),
    path(f"{R}/tags", run_actions.tags, name="run-tags"),
    path(f"{R}/description", run_description.save, name="run-description"),
    path(f"{R}/description/preview", run_description.preview, name="run-description-preview"),
    path(f"{R}/description/edit", run_description.edit, name="run-description-edit"),
]
