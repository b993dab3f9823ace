"""`manage.py createworkspace`: the first one of a studio that `manage.py up` did not start."""

import pytest
from django.core.management import CommandError, call_command

from studio.accounts.models import MemberEvent, User, Workspace


def test_it_makes_a_workspace_with_its_owner_and_says_where(people, client, capsys) -> None:
    call_command("createworkspace", "vision", owner="bob")

    page = capsys.readouterr().out.strip()
    client.force_login(User.objects.get(username="bob"))
    assert page == "/w/vision/runs"
    assert client.get(page).status_code == 200
    assert client.get("/w/vision/members").status_code == 200
    made = MemberEvent.objects.get(workspace__name="vision")
    assert (made.kind, made.after) == ("made", "owner")


@pytest.mark.parametrize(
    ("name", "owner", "said"),
    [
        ("lab", "bob", "There is a workspace “lab”"),
        ("new", "nobody", "no active user “nobody”"),
        ("two words", "bob", "can't be a name"),
        ("x" * 64, "bob", "1 to 63 letters"),
    ],
)
def test_what_can_not_be_is_said(name, owner, said, people, workspace, capsys) -> None:
    with pytest.raises(CommandError, match=said):
        call_command("createworkspace", name, owner=owner)

    assert capsys.readouterr().out == ""
    assert list(Workspace.objects.values_list("name", flat=True)) == ["lab"]
