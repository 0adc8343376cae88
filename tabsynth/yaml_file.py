"""Reads and writes the YAML files a user edits: schemas and policies. The only import of PyYAML."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tabsynth.errors import InputError
from tabsynth.escapes import visible


def read_yaml(path: str | Path, what: str, error: type[InputError]) -> Any:
    """The contents of a YAML (or JSON) file, plain values only; a name that stands twice is refused instead of the last one kept.

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
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_loader())
    except FileNotFoundError:
        raise error(f"there is no {what} file {path}; give the path of a YAML {what}.") from None
    except (OSError, UnicodeDecodeError):
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
