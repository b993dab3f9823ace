"""What a form of a filter holds, and where in the query it is put: nothing is lost on the way."""

from django.http import QueryDict
from hypothesis import given

from studio.custom_views.state import ViewState
from studio.search.pills import pills
from studio.search.printer import print_query
from studio.search.tree import Node, Not, Term
from studio.web.run_filters_form import fields_of, filled_from, filled_of, node_of
from studio.web.run_filters_place import Place, alternatives, node_at, put
from tests.search.test_syntax import terms, trees


@given(terms())
def test_a_form_makes_the_term_it_was_filled_from(term: Term) -> None:
    for node in (term, Not(term)):
        filled = filled_of(node)
        if filled is not None:
            query = QueryDict(mutable=True)
            query.update({"field": filled.field, "name": filled.name})
            for name, values in fields_of(filled).items():
                query.setlist(name, list(values))
            assert node_of(filled_from(query)) == node


@given(trees())
def test_what_stands_at_a_place_put_there_again_changes_nothing(tree: Node) -> None:
    state = ViewState(q=print_query(tree))
    for index, pill in enumerate(pills(state.node)):
        for part in (None, *range(len(alternatives(pill)))):
            place = Place(index, part)
            assert put(state, place, node_at(state, place)).node == state.node
