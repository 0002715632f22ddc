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


class WordFileError(YamlFileError):
    """A file of words that replies are read by breaks its format."""

    code: ClassVar[str] = "word_file_error"


class UnknownRegionError(ComplianceError):
    """A region that is neither ISO 3166-2 nor ISO 3166-1 alpha-2."""

    code: ClassVar[str] = "unknown_region"


class UnknownTimeZoneError(ComplianceError):
    """A time zone that the IANA database does not hold."""

    code: ClassVar[str] = "unknown_time_zone"


class UnknownCalendarError(ComplianceError):
    """A holiday calendar that the holiday data does not hold."""

    code: ClassVar[str] = "unknown_calendar"
