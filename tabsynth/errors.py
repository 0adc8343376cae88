"""Every deliberate error of tabsynth.

    TabsynthError
    ├── InputError           what was asked for or handed in cannot be used: exit code 2
    │   ├── OptionError      an argument (epsilon, delta, model, rows, ...)
    │   ├── SchemaError      a schema, or a table that does not have the schema's columns
    │   ├── PolicyError      a policy: thresholds of the report
    │   ├── DataError        a table that cannot be read
    │   └── FolderError      a model or release folder
    └── LedgerError          a step the privacy ledger does not allow
        ├── BudgetExceeded   the charge would spend more than is left; nothing was drawn
        └── Unaccounted      the ledger does not know this kind of step

Messages say what was given, what is allowed and what to do. They never quote a row.
"""


class TabsynthWarning(UserWarning):
    """What was asked for is done, and should be thought about again."""


class TabsynthError(Exception):
    """Base of every deliberate error."""


class InputError(TabsynthError, ValueError):
    """What was asked for or handed in cannot be used."""


class OptionError(InputError):
    """An argument is out of its range."""


class SchemaError(InputError):
    """A schema is wrong, or a table does not have its columns."""


class PolicyError(InputError):
    """A policy is wrong: an unknown threshold, or a value out of its range."""


class DataError(InputError):
    """A table cannot be read."""


class FolderError(InputError):
    """A folder is not what it should be: not a model, not a release, already there, damaged."""


class LedgerError(TabsynthError):
    """A step the privacy ledger does not allow."""


class BudgetExceeded(LedgerError):
    """The charge is larger than what is left of the budget. Nothing was charged, no noise was drawn."""


class Unaccounted(LedgerError):
    """The ledger has no proof for this kind of step, so it is refused."""
