"""The pages around custom views: all of them, sharing, versions, pins, YAML; and who sees none."""

from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from studio.accounts.models import Membership, Role, User
from studio.custom_views.actions import save_view
from studio.custom_views.models import CustomView, ViewGrant, ViewUse
from studio.custom_views.sharing import order_pins, pin_view, set_default, share_view
from studio.web import view_sharing
from tests import make
from tests.web.pages import HTMX, read
from tests.web.test_url_map import FORMS, methods_of
from tests.web.viewing import LIST, VIEWS, opened, page_of, view_of
from tests.web.whole_world import PATTERNS

OF_A_VIEW = [name for name, found in PATTERNS.items() if "<str:address>" in str(found.pattern)]


def names(page: Any) -> list[str]:
    """The addresses of the views in the table, in order."""
    return [own["href"] for _, own in page.elements if "data-row-link" in own]


# ------------------------------------------------------------------------- who sees nothing


@pytest.mark.parametrize("name", OF_A_VIEW)
@pytest.mark.parametrize("who", ["alice", "carol", "admin"])
def test_a_private_view_answers_like_one_that_is_not_there(
    name: str, who: str, workspace: Any, people: Any
) -> None:
    admin = make.user("root")
    admin.is_superuser = True
    admin.save()
    view = view_of(workspace, people.bob, {"q": "secret"})
    client = make.client(admin if who == "admin" else getattr(people, who))
    address = f"{page_of(view)}{_end(name)}"
    nowhere = address.replace(view.uid, "z" * 10)

    asked = client.post if "POST" in methods_of(make.client(people.bob), address) else client.get
    form = FORMS.get(name, {})
    found, none = asked(address, form), asked(nowhere, form)
    assert found.status_code == none.status_code == 404
    assert b"secret" not in found.content
    assert CustomView.objects.get().version == 1


def _end(name: str) -> str:
    return str(PATTERNS[name].pattern).partition("<str:address>")[2]


def test_a_private_view_shows_in_no_list_count_or_file(
    alice_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {"q": "secret"}, name="Hidden one")
    pin_view(view, by=make.actor(people.bob), pinned=True)

    for address in (VIEWS, f"{VIEWS}?q=hidden", f"{VIEWS}?tab=workspace", LIST):
        assert "Hidden one" not in read(alice_client.get(address)).text
    for address in (f"{VIEWS}/export", f"{VIEWS}/export?view={view.uid}"):
        assert b"Hidden" not in b"".join(alice_client.get(address))
    assert b"Hidden" not in alice_client.get(f"{VIEWS}/rail", headers=HTMX).content


def test_a_revoked_member_loses_views_at_once(
    carol_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {}, people={"carol": "see"})
    assert carol_client.get(page_of(view)).status_code == 200

    share_view(view, everyone="", people={}, by=make.actor(people.bob))
    assert carol_client.get(page_of(view)).status_code == 404
    share_view(view, everyone="see", people={}, by=make.actor(people.bob))
    assert carol_client.get(page_of(view)).status_code == 200
    Membership.objects.filter(user=people.carol).delete()
    assert carol_client.get(page_of(view)).status_code == 404


def test_views_of_a_deleted_account_pass_to_the_owners_who_are_told(
    alice_client: Client, carol_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {"q": "x"})
    people.bob.delete()

    listed = opened(alice_client, VIEWS)
    assert "workspace owners (was bob)" in listed.text
    assert "of the workspace’s owners" in opened(alice_client, page_of(view)).text
    saved = alice_client.post(f"{page_of(view)}/save", {"version": "1", "state": "?q=y"})
    assert saved.status_code == 303
    assert carol_client.get(page_of(view)).status_code == 404


# -------------------------------------------------------------------------------- all views


def test_views_are_listed_by_name_found_and_told_apart(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    view_of(workspace, people.bob, {}, name="Zebra", description="stripes")
    view_of(workspace, people.alice, {}, name="Ape", everyone="see")
    view_of(workspace, people.alice, {}, name="Bee", people={"bob": "edit"})
    view_of(workspace, people.alice, {}, name="Cat")

    def shown(query: str = "") -> str:
        return " ".join(names(opened(bob_client, VIEWS + query)))

    order = [part for part in shown().split() if part]
    assert [one.split("/")[-1].split("-")[0] for one in order] == ["ape", "bee", "zebra"]
    assert "zebra" in shown("?q=STRIPES")
    assert "ape" not in shown("?q=STRIPES")
    assert "zebra" in shown("?tab=mine")
    assert "bee" not in shown("?tab=mine")
    assert "bee" in shown("?tab=shared")
    assert "ape" not in shown("?tab=shared")
    assert "ape" in shown("?tab=workspace")
    assert "bee" not in shown("?tab=workspace")
    assert "You have opened no view yet" in opened(bob_client, f"{VIEWS}?tab=used").text
    assert "No view holds “nothing”" in opened(bob_client, f"{VIEWS}?q=nothing").text


def test_pages_of_views_neither_repeat_nor_miss_one(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    made = {view_of(workspace, people.bob, {}, name=f"View {i % 7} {i}").uid for i in range(120)}
    seen: list[str] = []
    address = VIEWS
    while address:
        page = opened(bob_client, address)
        seen += [href.rpartition("-")[2] for href in names(page)]
        more = [own["href"] for tag, own in page.elements if tag == "a" and "after=" in own["href"]]
        address = more[0] if more else ""
    assert len(seen) == 120
    assert set(seen) == made


def test_opening_a_view_by_a_browser_is_remembered(
    carol_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {}, everyone="see")
    page = opened(carol_client, page_of(view))
    assert not ViewUse.objects.exists(), "reading stores nothing"

    note = page.one("div", id="views-used")["hx-post"]
    assert carol_client.post(note).status_code == 204
    assert "Night sweeps" in opened(carol_client, f"{VIEWS}?tab=used").text


# ---------------------------------------------------------------------------------- sharing


def test_sharing_names_people_and_everyone_and_ends_at_once(
    bob_client: Client, carol_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {})
    form = {"everyone": "", "person-carol": "see", "person-alice": "edit"}
    assert bob_client.post(f"{page_of(view)}/sharing", form).status_code == 303

    grants = set(ViewGrant.objects.values_list("user__username", "access"))
    assert grants == {("carol", "see"), ("alice", "edit")}
    panel = opened(carol_client, f"{page_of(view)}/share")
    assert "Who can see this?" in panel.text
    assert not [tag for tag, _ in panel.elements if tag == "select"]
    assert "Your role in this workspace may look at views" in panel.text
    bob_client.post(f"{page_of(view)}/sharing", {"everyone": "", "person-carol": ""})
    assert carol_client.get(page_of(view)).status_code == 404


def test_sharing_ends_nothing_for_people_whom_the_form_did_not_show(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    others = [User(username=f"m{n:03}") for n in range(view_sharing.MAX_MEMBERS)]
    last, gone = User(username="zoe"), User(username="zed", is_active=False)
    made = User.objects.bulk_create([*others, last, gone])
    held = [Membership(user=one, workspace=workspace, role=Role.READER) for one in made]
    Membership.objects.bulk_create(held)
    view = view_of(workspace, people.bob, {}, people={"zoe": "see", "zed": "edit", "carol": "see"})
    form = read(bob_client.get(f"{page_of(view)}/share"))
    shown = {own["name"] for tag, own in form.elements if tag == "select"}
    assert {"person-zoe", "person-zed", "person-carol"} <= shown
    assert "switched off" in form.text

    asked = {"everyone": "", "person-carol": "", "person-alice": "see"}
    assert bob_client.post(f"{page_of(view)}/sharing", asked).status_code == 303

    grants = set(ViewGrant.objects.values_list("user__username", "access"))
    assert grants == {("alice", "see"), ("zoe", "see"), ("zed", "edit")}


def test_a_description_is_not_overwritten_by_a_form_without_a_version(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {}, description="first")
    answer = bob_client.post(f"{page_of(view)}/rename", {"name": view.name, "description": "mine"})

    assert answer.status_code == 409
    assert "mine" in read(answer).texts
    assert CustomView.objects.get().description == "first"


def test_a_wrong_share_changes_nothing_and_keeps_what_was_chosen(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {}, people={"carol": "see"})
    form = {"everyone": "see", "person-dave": "edit", "person-carol": "edit"}
    answer = bob_client.post(f"{page_of(view)}/sharing", form)

    assert answer.status_code == 422
    page = read(answer)
    assert "“dave” is no member of this workspace." in page.text
    assert ("option", {"value": "edit", "selected": ""}) in page.elements
    assert list(ViewGrant.objects.values_list("access", flat=True)) == ["see"]


# --------------------------------------------------------------------------------- versions


def test_versions_tell_what_changed_and_come_back(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    by = make.actor(people.bob)
    view = view_of(workspace, people.bob, {"q": "status:failed"})
    save_view(view, by=by, expected_version=1, state={"q": "status:running", "order": "name"})
    save_view(view, by=by, expected_version=2, name="Day sweeps")

    page = opened(bob_client, f"{page_of(view)}/versions")
    assert "Renamed from “Night sweeps” to “Day sweeps”." in page.text
    assert page.texts.index("status:failed") < page.texts.index("status:running")
    nothing = bob_client.get(f"{page_of(view)}/versions?below=0")
    assert nothing.status_code == 200
    assert "Renamed from" not in read(nothing).text
    old = next(own["href"] for _, own in page.elements if "?rev=1" in own.get("href", ""))
    assert bob_client.get(old).status_code in (200, 302)
    answer = bob_client.post(f"{page_of(view)}/restore", {"version": "1"})
    assert answer.status_code == 303
    back = CustomView.objects.get()
    assert (back.version, back.name, back.state) == (4, "Night sweeps", {"q": "status:failed"})
    missing = bob_client.post(f"{page_of(view)}/restore", {"version": "99"}, follow=True)
    assert "“Night sweeps” has no version 99." in read(missing).text


def test_an_old_version_opens_as_it_was_and_links_stay_with_it(
    bob_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {"q": "status:failed"})
    save_view(view, by=make.actor(people.bob), expected_version=1, state={"q": "status:running"})

    page = opened(bob_client, f"{page_of(view)}?rev=1")
    assert page.one("input", id="runs-q")["value"] == "status:failed"
    assert {own["value"] for _, own in page.elements if own.get("name") == "rev"} == {"1"}
    assert page.href(**{"class": "pill-drop"}).endswith("?q=&rev=1")


# ------------------------------------------------------------------------------------- pins


def test_pins_stand_in_the_sidebar_in_their_order_with_numbers(
    bob_client: Client, workspace: Any, people: Any, run: Any
) -> None:
    by = make.actor(people.bob)
    made = [
        view_of(workspace, people.bob, {"q": query}, name=name)
        for name, query in (("One", "vision"), ("None", "nothing"), ("Wrong", ""))
    ]
    for view in made:
        assert bob_client.post(f"{page_of(view)}/pin", {"pinned": "1"}).status_code == 303
    CustomView.objects.filter(pk=made[2].pk).update(state={"q": "((("})
    order_pins(workspace, [made[1].uid, made[0].uid], by=by)

    page = opened(bob_client, LIST)
    assert [own["data-label"] for _, own in page.elements if "data-pin" in own] == [
        *("None", "One", "Wrong")
    ]
    asked = page.one("div", id="views-rail_counts")["hx-get"]
    told = read(bob_client.get(asked, headers=HTMX))
    assert [text for text in told.texts if text != "runs"] == ["0", "1", "–"]
    again = told.one("div", id="views-rail_counts")
    assert again["hx-trigger"] == "every 3s"
    assert bob_client.get(again["hx-get"], headers=HTMX).status_code == 204


def test_a_number_that_was_kept_is_asked_for_again(
    bob_client: Client, workspace: Any, people: Any, experiment: Any
) -> None:
    cache.clear()
    view = view_of(workspace, people.bob, {"q": "vision"})
    pin_view(view, by=make.actor(people.bob), pinned=True)

    def ask(address: str) -> tuple[str, str]:
        told = read(bob_client.get(address, headers=HTMX))
        return told.texts[0], told.one("div", id="views-rail_counts")["hx-get"]

    number, again = ask(f"{VIEWS}/rail")
    assert number == "0"
    make.run(experiment)
    number, again = ask(again)
    assert (number, again) == ("0", f"{VIEWS}/rail"), "counted before: not the end of asking"
    cache.clear()
    number, again = ask(again)
    assert number == "1"
    assert "?v=" in again


def test_the_order_of_pins_is_kept_by_one_request(
    carol_client: Client, workspace: Any, people: Any
) -> None:
    made = [view_of(workspace, people.bob, {}, name=n, everyone="see") for n in ("A", "B", "C")]
    for view in made:
        pin_view(view, by=make.actor(people.carol), pinned=True)
    form = {"view": [view.uid for view in reversed(made)] + ["unknown", "\0"]}

    answer = carol_client.post(f"{VIEWS}/order", form, headers=HTMX)
    assert answer.status_code == 204
    page = opened(carol_client, VIEWS)
    assert [own["data-label"] for _, own in page.elements if "data-pin" in own] == ["C", "B", "A"]


# ------------------------------------------------------------------------------------- YAML


def test_views_go_out_as_yaml_and_come_in_after_a_look(
    bob_client: Client, carol_client: Client, workspace: Any, people: Any
) -> None:
    view = view_of(workspace, people.bob, {"q": "tag.colour:red", "columns": "name,status"})
    text = b"".join(bob_client.get(f"{VIEWS}/export?view={view.uid}")).decode()
    assert "tag.colour:red" in text
    CustomView.objects.all().delete()

    look = bob_client.post(f"{VIEWS}/import/take", {"text": text})
    assert look.status_code == 200
    assert "created" in read(look).text
    assert "colour" in read(look).text
    assert not CustomView.objects.exists()
    taken = bob_client.post(f"{VIEWS}/import/take", {"text": text, "really": "1"})
    assert (taken.status_code, taken["Location"]) == (303, f"{VIEWS}?tab=mine")
    assert CustomView.objects.get().state == {"q": "tag.colour:red", "columns": "name,status"}
    assert carol_client.post(f"{VIEWS}/import/take", {"text": text}).status_code == 403


@pytest.mark.parametrize(
    "text", ["", ": [", "views: 7", "- a", "a: &a [*a]", "\0", "x" * 2_000_000]
)
def test_what_is_no_file_of_views_is_refused_and_stays(bob_client: Client, text: str) -> None:
    answer = bob_client.post(f"{VIEWS}/import/take", {"text": text, "really": "1"})

    assert answer.status_code == 422
    assert not CustomView.objects.exists()


def test_a_thousand_views_cost_no_more_queries(
    bob_client: Client, workspace: Any, people: Any, django_assert_max_num_queries: Any
) -> None:
    view = view_of(workspace, people.bob, {}, name="First", everyone="see")
    CustomView.objects.bulk_create(
        CustomView(workspace=workspace, name=f"V {i}", owner=people.alice, everyone="see")
        for i in range(1_000)
    )
    set_default(view, by=make.actor(people.bob))
    pin_view(view, by=make.actor(people.bob), pinned=True)
    for address in (VIEWS, page_of(view), f"{VIEWS}/rail"):
        bob_client.get(address)
        with django_assert_max_num_queries(20):
            assert bob_client.get(address).status_code in (200, 204)
