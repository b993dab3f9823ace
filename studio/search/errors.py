"""What the search grammar says when a query cannot be understood."""


class SearchSyntaxError(ValueError):
    """A query that cannot be understood: what was wrong, where, and a correct example.

    position: index of the first wrong character in the text (code points, 0-based);
    length: how many characters are meant, 0 at the end of the text;
    message: full sentences for a person; example: a query that parses; field: the parameter that
    held the text.
    """

    field = "q"

    def __init__(self, position: int, length: int, message: str, example: str) -> None:
        super().__init__(message)
        self.position = position
        self.length = length
        self.message = message
        self.example = example
