"""Problems are told together, in their order, up to a number."""

from __future__ import annotations

import pytest

from vocabulary.errors import DomainError
from vocabulary.problems import PROBLEMS_MAX, Problems


def a_refusal(path: str, problem: str = "is bad") -> DomainError:
    return DomainError(f"No: {path} {problem}.", field=path, problem=problem)


def test_nothing_wrong_refuses_nothing() -> None:
    """Every call would be refused."""
    problems = Problems()
    with problems.collecting():
        pass
    problems.refuse()
    assert len(problems) == 0


def test_the_first_refusal_tells_of_all() -> None:
    """A caller would mend one field, and be told of the next one."""
    problems = Problems()
    first = a_refusal("a")
    with problems.collecting():
        raise first
    problems.add(a_refusal("b", "is worse"))
    with pytest.raises(DomainError) as raised:
        problems.refuse()
    assert raised.value is first
    assert raised.value.violations == (("a", "is bad"), ("b", "is worse"))
    assert not raised.value.has_more


def test_of_a_field_the_first_problem_is_told() -> None:
    """What follows from it would be told as well."""
    problems = Problems()
    problems.add(a_refusal("a"))
    problems.add(a_refusal("a", "is missing"))
    assert len(problems) == 1


def test_ten_are_told_and_that_there_are_more() -> None:
    """An answer that is too large is lost."""
    problems = Problems()
    for number in range(PROBLEMS_MAX):
        problems.add(a_refusal(f"f{number}"))
    with pytest.raises(DomainError) as raised:
        problems.refuse()
    assert not raised.value.has_more
    problems.add(a_refusal("one more"))
    with pytest.raises(DomainError) as raised:
        problems.refuse()
    assert len(raised.value.violations) == PROBLEMS_MAX
    assert raised.value.has_more


def test_what_blames_no_field_is_not_kept() -> None:
    """A missing merchant would be told as a problem of a field."""
    problems = Problems()
    with pytest.raises(DomainError, match="none"), problems.collecting():
        raise DomainError("There is none.")
    with pytest.raises(RuntimeError), problems.collecting():
        raise RuntimeError
    assert len(problems) == 0


@pytest.mark.parametrize(
    ("path", "is_blamed"),
    [("a.b", True), ("a", True), ("a.b[2]", True), ("a.bc", False), ("a.b[2].c", False)],
)
def test_a_field_is_blamed_inside(path: str, *, is_blamed: bool) -> None:
    """It would be looked at again, and be told of twice."""
    problems = Problems()
    problems.add(a_refusal("a.b[2]"))
    assert problems.blames_inside(path) is is_blamed
