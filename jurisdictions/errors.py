"""What can be wrong with files of law and with what a caller says of a place."""

from typing import ClassVar

from rules.errors import ComplianceError


class YamlFileError(ComplianceError):
    """A file that cannot be read. ``detail`` begins with ``file:line:``."""

    code: ClassVar[str] = "yaml_file_error"


class RegulationFileError(YamlFileError):
    """A regulation file breaks its format."""

    code: ClassVar[str] = "regulation_file_error"


class ScenarioFileError(YamlFileError):
    """A scenario file breaks its format."""

    code: ClassVar[str] = "scenario_file_error"


class UnknownRegion(ComplianceError):  # noqa: N818 - the name is the API's code.
    """A region that is neither ISO 3166-2 nor ISO 3166-1 alpha-2."""

    code: ClassVar[str] = "unknown_region"


class UnknownTimeZone(ComplianceError):  # noqa: N818 - the name is the API's code.
    """A time zone that the IANA database does not hold."""

    code: ClassVar[str] = "unknown_time_zone"


class UnknownCalendar(ComplianceError):  # noqa: N818 - named like its two siblings.
    """A holiday calendar that the holiday data does not hold."""

    code: ClassVar[str] = "unknown_calendar"
