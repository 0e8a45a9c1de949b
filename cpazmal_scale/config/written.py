"""YAML text to settings without loss, and errors of settings in plain words."""

from __future__ import annotations

import functools
import math
import re
from typing import Any

_DAY = "write the day as 2020-01-31"
_SECTION = "it is a section: write its settings below it, each on a line, indented"
_LIST = "write a list, in square brackets"
_WORDS = {
    "tuple_type": _LIST,
    "list_type": _LIST,
    "date_type": _DAY,
    "date_parsing": _DAY,
    "date_from_datetime_parsing": _DAY,
    "date_from_datetime_inexact": f"it is a day without a time: {_DAY}",
    "dict_type": _SECTION,
    "model_type": _SECTION,
    "model_attributes_type": _SECTION,
}
"""What pydantic finds, in words of this program."""
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)$|0x[0-9a-fA-F]+$")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$|[-+]?\.(?:inf|Inf|INF)$|"
    r"\.(?:nan|NaN|NAN)$"
)
"""Numbers as YAML 1.2 has them."""
_BUILDING = (ValueError, ArithmeticError, LookupError, TypeError, AttributeError, RecursionError)
"""What PyYAML raises besides when a number, date or key is none."""


def plain_words(found: Any) -> str:
    """What pydantic found wrong with one value (of `ValidationError.errors`), on one line."""
    message: str = found["msg"].removeprefix("Value error, ").splitlines()[0]
    return _WORDS.get(found["type"], message)


def read_yaml(text: str) -> Any:
    """The values of a YAML text.

    Raises:
        ValueError: it is no YAML, or has a key twice; says what and on which line.
    """
    import yaml

    try:
        return yaml.load(text, _loader())  # noqa: S506 - a safe loader
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f", line {mark.line + 1}"
        raise ValueError(f"not valid YAML{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, *_BUILDING) as error:
        raise ValueError(f"not valid YAML: {_reason(error)}") from None


def _reason(error: Exception) -> str:
    """The first line of what was raised."""
    return (str(error).splitlines() or ["a value makes no sense"])[0]


def yaml_value(value: object) -> str:
    """Plain values as YAML on one line; `read_yaml` and every other reader give them back."""
    import yaml

    text = yaml.dump(value, Dumper=_dumper(), default_flow_style=True, width=math.inf)
    return str(text).removesuffix("\n").removesuffix("\n...")


@functools.cache
def _dumper() -> Any:
    """A safe dumper that quotes what any reader takes for a number, and text with line breaks."""
    import yaml

    class Dumper(yaml.SafeDumper):
        pass

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
        style = '"' if len(value.splitlines()) > 1 or value[-1:].isspace() else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    _add_numbers(Dumper)
    Dumper.add_representer(str, text)
    return Dumper


def _add_numbers(kind: Any) -> None:
    """Make a loader or dumper know numbers as YAML 1.2 has them."""
    kind.add_implicit_resolver("tag:yaml.org,2002:int", _INTEGER, list("-+0123456789"))
    kind.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


@functools.cache
def _loader() -> Any:
    """A safe loader to which a key that comes twice is an error: the last one would win.

    `1:20:30` and `017` are text to it, as in YAML 1.2, and not 4830 and 15.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
            try:
                return super().construct_object(node, deep=deep)
            except _BUILDING as error:
                raise yaml.constructor.ConstructorError(
                    None, None, _reason(error), node.start_mark
                ) from None

    Loader.yaml_implicit_resolvers = {
        first: [one for one in rules if not one[0].endswith((":int", ":float"))]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
        seen = set()
        for key, _ in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else None
            if name is not None and name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"`{name}` is there twice", key.start_mark
                )
            seen.add(name)
        loader.flatten_mapping(node)
        return dict(yaml.SafeLoader.construct_mapping(loader, node, deep=True))

    _add_numbers(Loader)
    Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, mapping)
    return Loader
