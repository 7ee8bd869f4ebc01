"""What names, numbers, commands and environments may look like."""

from __future__ import annotations

import pytest

from zdd.errors import ConfigurationError
from zdd.model.names import NAME_LENGTH_MAX, check_name, check_number, command_words, environment_texts


@pytest.mark.parametrize("name", ["web", "w", "0", "a-b", "a--b", "x" * NAME_LENGTH_MAX])
def test_a_legal_name_is_given_back(name: str) -> None:
    assert check_name("service name", name) == name


@pytest.mark.parametrize(
    "name", ["", "Web", "-a", "a-", "a_b", "a.b", "ä", "a\n", "x" * (NAME_LENGTH_MAX + 1), None, 5]
)
def test_another_one_is_named(name: object) -> None:
    with pytest.raises(ConfigurationError, match=r"service name .*: use 1 to 40 lower-case letters"):
        check_name("service name", name)


@pytest.mark.parametrize(
    ("value", "whole", "legal"),
    [
        (1, False, True),
        (1.0, False, True),
        (10, True, True),
        (0.9, False, False),
        (10.1, False, False),
        (1.0, True, False),
        (float("nan"), False, False),
        (True, False, False),
        ("5", False, False),
        (None, False, False),
    ],
)
def test_a_number_has_bounds_and_is_no_truth_value(value: object, whole: bool, legal: bool) -> None:
    if legal:
        check_number("replicas", value, least=1, most=10, whole=whole)
        return
    with pytest.raises(ConfigurationError, match=r"replicas is .*: use a (whole )?number, from 1 to 10"):
        check_number("replicas", value, least=1, most=10, whole=whole)


@pytest.mark.parametrize("words", ["run me", [], [""], ["run", 5], ["run\0"]])
def test_a_command_is_a_list_of_words(words: object) -> None:
    with pytest.raises(ConfigurationError, match="use a list of words"):
        command_words(words)
    assert command_words(["run", ""]) == ("run", "")


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PIN": 123456}, "environment variable PIN is of type int: use text, in quotes"),
        ({"PIN": None}, "environment variable PIN is of type NoneType: use text, in quotes"),
        ({"PIN": "123456\0"}, "environment variable PIN has a null character"),
        ({"P=N": "123456"}, "environment variable 'P=N': use a name"),
    ],
)
def test_a_variable_that_is_none_is_named_without_its_value_which_may_be_a_secret(
    environment: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        environment_texts(environment)
    assert "123456" not in str(caught.value)
