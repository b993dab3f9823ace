"""Every page of the URL map by name, its states, and what of the map is no page."""


def named(text: str) -> list[str]:
    """The words of the text."""
    return text.split()


# Name of an address -> what follows it, once for each look. A whole path lies in the workspace of
# the guide's pictures, whose runs stand in braces.
PAGES: dict[str, tuple[str, ...]] = {
    "account": ("",),
    "account-sign-ins": ("",),
    "alert-confirm": ("",),
    "alert-edit": ("",),
    "alert-list": ("", "/w/lab/alerts"),
    "alert-new": ("",),
    "alert-rule": ("", "/w/whole/alerts/zzzzzzzzzz"),
    "compute": ("",),
    "experiment-description-edit": ("",),
    "experiment-description-version": ("",),
    "experiment-description-versions": ("",),
    "experiment-list": ("/w/lab/experiments",),
    "experiment-rename-edit": ("",),
    "experiment-runs": ("",),
    "import": ("",),
    "member-confirm": ("?user=bob",),
    "member-list": ("",),
    "monitor": ("",),
    "pipeline-list": ("/w/lab/pipelines",),
    "run-all-tags": ("",),
    "run-children": ("",),
    "run-compare": (
        "/w/lab/compare?chosen={resnet-50 baseline},{vit-small}&only=all",
        "/w/lab/compare?chosen={resnet-50 baseline}",
    ),
    "run-compare-add": ("",),
    "run-compare-file": ("?a={source}&b={other source}&path=train.py",),
    "run-description-edit": ("",),
    "run-description-version": ("",),
    "run-description-versions": ("",),
    "run-detail": ("", "/w/lab/runs/{vit-small, broken}"),
    "run-details": ("/w/lab/runs/{nightly corpus}/details",),
    "run-edit-name": ("",),
    "run-edit-tags": ("",),
    "run-find": ("?find=epoch",),
    "run-history": ("",),
    "run-images": ("",),
    "run-json": ("",),
    "run-list": ("?columns=name,status,tags&pins=2&children=tree",),
    "run-list-chart-edit": ("",),
    "run-list-chart-table": ("?charts=kind%3Dline%26y%3Dmetric.loss&chart=0",),
    "run-list-columns": ("",),
    "run-list-filter": ("",),
    "run-list-pill": ("?q=status:failed&pill=0",),
    "run-list-sorting": ("",),
    "run-log-line": ("?path=logs/output.txt",),
    "run-logs": ("",),
    "run-metrics": ("",),
    "run-monitoring": ("",),
    "run-resubmit": ("",),
    "run-seen-by": ("",),
    "run-snapshot": ("", "/w/whole/runs/{other source}/snapshot"),
    "run-steps": ("",),
    "tag-change": ("?action=rename&key=quality&to=grade",),
    "tag-list": ("",),
    "tag-values": ("?key=quality",),
    "target-edit": ("",),
    "target-new": ("",),
    "target-worker": ("",),
    "trash": ("",),
    "unsubscribe": ("",),
    "view": ("?q=status:failed&order=name&rev=1",),
    "view-details": ("",),
    "view-history": ("",),
    "view-import": ("",),
    "view-list": ("", "?q=nothing"),
    "view-new": ("?q=x",),
    "view-share": ("",),
    "welcome": ("",),
    "work-detail": ("",),
    "work-list": ("",),
}
# Those look different to everybody: {who} -> paths. "" is nobody who is signed in.
OF_PEOPLE = {
    "": ("sign-in",),
    "root": ("admin-accounts", "admin-sign-ins", "admin-workspaces"),
    "dave": ("home", "account"),
    "carol": ("member-list", "compute"),
}
# What answers with something else than a whole page: parts of pages and figures, files, what
# machines ask, what only leads elsewhere, and forms that are sent.
PARTS = named("""
description-suggest run-figure run-find-hits run-header run-list-counts run-list-explain
run-list-figure run-list-group-names run-list-live run-list-logs run-list-newer run-log-beside
run-log-lines run-log-map run-metric-news run-metric-table run-monitoring-figure
run-monitoring-table run-suggest run-tree run-values view-bar view-lost view-rail work-progress
work-tray
""")
FILES = named("""
attachment monitor-export run-compare-table run-file run-image run-list-chart-csv run-list-export
run-metric-csv run-monitoring-csv run-snapshot-file run-snapshot-zip run-zip view-export
""")
MACHINES = named("""
healthz metrics readyz
""")
LEADS = named("""
mlflow-experiment mlflow-run oidc-back oidc-start run-charts-at-line run-log-mark run-row
workspace
""")
SENT = named("""
account-email account-password account-session-end account-sessions-end-others
account-token-create account-token-revoke admin-account-switch admin-workspace-new alert-change
alert-create
alert-delete alert-enable alert-mute alert-retry alert-test experiment-archive
experiment-description experiment-description-images experiment-description-preview
experiment-description-restore experiment-rename experiment-star import-check import-start
member-add member-create member-leave member-link member-remove member-role run-archive run-bulk
run-bulk-start run-cancel run-compare-chosen run-delete run-description run-description-images
run-description-preview run-description-restore run-fail run-kill run-list-logs-start run-notify
run-rename run-resubmit-start run-row-name run-row-tags run-star run-tags run-unarchive sign-out
tag-change-start target-create target-delete target-drain target-enable target-save trash-restore
view-create view-default view-delete view-duplicate view-import-take view-order view-pin
view-rename view-restore view-save view-sharing view-subscribe view-undelete view-used work-cancel
work-undo
""")
NO_PAGES = {*PARTS, *FILES, *MACHINES, *LEADS, *SENT}

# Where there is nothing yet: pages of a workspace, and of a run.
EMPTY = named("""
alert-list compute experiment-list import monitor pipeline-list run-compare run-compare-add run-list
run-list-filter tag-list trash view-list work-list
""")
EMPTY_RUN = named("""
run-all-tags run-children run-description-versions run-detail run-history run-images
run-logs run-metrics run-monitoring run-snapshot run-steps
""")

# Questions that are wrong or find nothing, and what is not there or not allowed: path -> status.
WRONG = {
    "/w/lab/runs?q=status:": 422,
    "/w/lab/runs?q=nowhere": 200,
    "/w/lab/runs?q=tag.purpose:none experiment:vision&explain=1": 200,
    "/w/lab/experiments?q=nowhere": 200,
    "/w/lab/compare?chosen=nowhere": 200,
    "/w/lab/monitor?run=nowhere": 200,
    "/w/lab/tags?q=nowhere": 200,
    "/w/lab/runs-columns?find=nowhere": 200,
    "/w/lab/runs/{resnet-101}/metrics?m=nowhere": 200,
    "/w/lab/runs/{resnet-101}/logs?path=nowhere": 200,
    "/w/whole/runs/{deleted}": 404,
    "/w/lab/views/nowhere": 404,
    "/w/lab/nowhere": 404,
    "/welcome/no/link": 404,
    "/unsubscribe/nobody": 404,
    "/admin/accounts": 403,
    "/admin/workspaces": 403,
}
# Forms that are refused: name of the address, and what is sent.
REFUSED: list[tuple[str, dict[str, str]]] = [
    ("account-email", {"email": "nobody"}),
    ("account-password", {"old_password": "wrong", "new_password1": "a", "new_password2": "b"}),
    ("account-token-create", {"name": ""}),
    ("alert-create", {"name": "", "kind": "status"}),
    ("alert-change", {"name": "", "kind": "status"}),
    ("experiment-description", {"text": "mine", "version": "1"}),
    ("experiment-rename", {"name": ""}),
    ("import-check", {}),
    ("member-add", {"name": "nobody", "role": "reader"}),
    ("member-create", {"name": "alice", "role": "reader"}),
    ("run-bulk-start", {}),
    ("run-description", {"text": "mine", "version": "1"}),
    ("run-fail", {"reason": ""}),
    ("run-rename", {"display_name": ""}),
    ("run-resubmit-start", {"arguments": "--note 'open"}),
    ("run-row-name", {"display_name": ""}),
    ("run-row-tags", {"add": ": nothing"}),
    ("run-tags", {"add": ": nothing"}),
    ("tag-change-start", {"action": "rename", "key": "quality", "to": ""}),
    ("target-create", {"name": "a b"}),
    ("target-save", {"max_runs": "0"}),
    ("view-create", {"name": "", "state": "?q=x", "place": "runs"}),
    ("view-import-take", {"text": "views: ["}),
    ("view-rename", {"version": "2", "name": ""}),
    ("view-save", {"version": "1", "state": "?q=status:running"}),
    ("welcome", {"new_password1": "a", "new_password2": "b"}),
]
