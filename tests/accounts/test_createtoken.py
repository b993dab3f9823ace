"""`manage.py createtoken`."""

import pytest
from django.core.management import CommandError, call_command

from studio.accounts.actions import find_token


def test_it_prints_a_token_that_works_and_nothing_else(people, workspace, capsys):
    call_command("createtoken", "bob", workspace="lab", scope="read", name="ci")
    printed = capsys.readouterr().out
    token = find_token(printed.strip())
    assert printed == printed.strip() + "\n"
    assert (token.user, token.workspace, token.scope) == (people.bob, workspace, "read")
    assert token.name == "ci"


def test_without_a_workspace_it_is_good_for_all_of_the_persons(people, workspace, capsys):
    call_command("createtoken", "bob")
    token = find_token(capsys.readouterr().out.strip())
    assert (token.workspace, token.scope) == (None, "write")


@pytest.mark.parametrize(
    ("user", "room", "said"),
    [("nobody", "lab", "nobody"), ("bob", "nowhere", "nowhere"), ("dave", "lab", "not a member")],
)
def test_what_can_not_be_is_said(user, room, said, people, workspace, capsys):
    with pytest.raises(CommandError, match=said):
        call_command("createtoken", user, workspace=room)
    assert capsys.readouterr().out == ""
