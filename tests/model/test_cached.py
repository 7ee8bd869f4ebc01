"""`cached_property` derives a value once for each object."""

from __future__ import annotations

from attrs import frozen

from zdd.model.cached import cached_property


@frozen(slots=False)
class Square:
    side: int
    asked: list[int]

    @cached_property
    def area(self) -> int:
        """How large it is."""
        self.asked.append(self.side)
        return self.side**2


def test_it_derives_once_for_each_object_and_leaves_equality_alone():
    asked: list[int] = []
    small, large = Square(2, asked), Square(3, asked)
    assert [small.area, large.area, small.area, large.area] == [4, 9, 4, 9]
    assert asked == [2, 3]
    assert small == Square(2, asked)


def test_it_keeps_its_words():
    assert Square.area.__doc__ == "How large it is."
