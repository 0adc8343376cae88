"""Reads and writes the YAML files a user edits: schemas and policies. The only import of PyYAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tabsynth.documents import DEEPEST, DIGITS, YAML_BYTES, Unreadable, read_text
from tabsynth.errors import InputError
from tabsynth.escapes import visible

MOST_NODES = 1_000_000
"""Values and names in a file, those that aliases repeat counted each time."""


def read_yaml(path: str | Path, what: str, error: type[InputError]) -> Any:
    """The contents of a YAML (or JSON) file, plain values only; a name that stands twice is refused instead of the last one kept.

    Anybody may have written it, so it may not be large, nor grow by what its aliases (``*name``) repeat.

    Parameters
    ----------
    path : str or Path
    what : str
        What the file should hold, for the messages: "schema".
    error : type
        What is raised where the file cannot be read.
    """
    import yaml

    path = Path(path)
    try:
        return yaml.load(read_text(path, YAML_BYTES), Loader=_loader())
    except FileNotFoundError:
        raise error(f"there is no {what} file {path}; give the path of a YAML {what}.") from None
    except Unreadable as problem:
        raise error(f"{path} cannot be read as text ({problem}); give the path of a YAML {what}.") from None
    except OSError:
        raise error(f"{path} cannot be read as text; give the path of a YAML {what}.") from None
    except yaml.YAMLError as problem:
        where = f" (line {problem.problem_mark.line + 1})" if getattr(problem, "problem_mark", None) else ""
        raise error(f"{path} is not valid YAML{where}: {getattr(problem, 'problem', None) or 'unreadable'}.") from None
    except (ValueError, RecursionError):
        raise error(f"{path} holds a value that YAML cannot read; put dates and unusual values in quotes.") from None


def write_yaml(data: Any, **layout: Any) -> str:
    """Plain data as YAML in its own order; in ASCII alone where a text holds what would not be seen."""
    import yaml

    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120, **layout)
    return text if visible(text, keep="\n") == text else yaml.safe_dump(data, sort_keys=False, width=120, **layout)


def _loader():
    import yaml

    class Loader(yaml.SafeLoader):
        def __init__(self, stream):
            super().__init__(stream)
            self.nodes, self.deep, self.held = 0, 0, {}

        def compose_node(self, parent, index):
            alias, mark, before = self.check_event(yaml.AliasEvent), self.peek_event().start_mark, self.nodes
            self.nodes, self.deep = before + 1, self.deep + 1
            self.refuse_much(mark)
            node = super().compose_node(parent, index)
            self.nodes += self.held.get(id(node), MOST_NODES) if alias else 0
            self.refuse_much(mark)
            if not alias:
                self.held[id(node)] = self.nodes - before
            if isinstance(node, yaml.ScalarNode):
                node.value.encode()
            self.deep -= 1
            return node

        def refuse_much(self, mark):
            if self.nodes > MOST_NODES or self.deep > DEEPEST:
                raise yaml.composer.ComposerError(None, None, "it is nested too deeply, or its aliases repeat too much", mark)

        def construct_yaml_int(self, node):
            if len(self.construct_scalar(node)) > DIGITS:
                raise yaml.constructor.ConstructorError(
                    None, None, f"a whole number has more than {DIGITS} digits", node.start_mark
                )
            return super().construct_yaml_int(node)

        def construct_mapping(self, node, deep=False):
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    raise yaml.constructor.ConstructorError(None, None, "a name must be plain text", key.start_mark)
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(None, None, f"{key.value!r} stands twice", key.start_mark)
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Loader
