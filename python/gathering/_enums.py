"""The documents' closed lists of words: categories, levels and plugin states."""

from enum import Enum


class PluginStatus(str, Enum):
    """Where a plugin stands."""

    UNLOADED = "unloaded"
    LOADED = "loaded"
    ENABLED = "enabled"
    DISABLED = "disabled"
    ERROR = "error"


class ToolCategory(str, Enum):
    """What a tool is about. A word that is not here may be given as a plain string and is kept as it is."""

    FILE_SYSTEM = "filesystem"
    VERSION_CONTROL = "version_control"
    CODE_EXECUTION = "code_execution"
    TESTING = "testing"
    DEBUGGING = "debugging"
    LLM = "llm"
    IMAGE = "image"
    AUDIO = "audio"
    VIDEO = "video"
    DATA_ANALYSIS = "data_analysis"
    DATABASE = "database"
    FINANCE = "finance"
    ACCOUNTING = "accounting"
    CAD = "cad"
    SIMULATION = "simulation"
    IOT = "iot"
    WEB = "web"
    API = "api"
    CUSTOM = "custom"
    UTILITY = "utility"


class CompetencyCategory(str, Enum):
    """The field a competency belongs to. Another word may be given as a plain string and is kept as it is."""

    PROGRAMMING = "programming"
    WEB_DEVELOPMENT = "web_development"
    MOBILE_DEVELOPMENT = "mobile_development"
    DATABASE = "database"
    DEVOPS = "devops"
    MACHINE_LEARNING = "machine_learning"
    DEEP_LEARNING = "deep_learning"
    NLP = "nlp"
    COMPUTER_VISION = "computer_vision"
    GRAPHIC_DESIGN = "graphic_design"
    UI_UX_DESIGN = "ui_ux_design"
    VIDEO_EDITING = "video_editing"
    AUDIO_PRODUCTION = "audio_production"
    THREE_D_MODELING = "three_d_modeling"
    FINANCIAL_ANALYSIS = "financial_analysis"
    ACCOUNTING = "accounting"
    BUSINESS_STRATEGY = "business_strategy"
    MARKETING = "marketing"
    SALES = "sales"
    MECHANICAL_ENGINEERING = "mechanical_engineering"
    ELECTRICAL_ENGINEERING = "electrical_engineering"
    CAD = "cad"
    SIMULATION = "simulation"
    IOT = "iot"
    DATA_SCIENCE = "data_science"
    STATISTICS = "statistics"
    SCIENTIFIC_COMPUTING = "scientific_computing"
    RESEARCH_METHODS = "research_methods"
    WRITING = "writing"
    TRANSLATION = "translation"
    PUBLIC_SPEAKING = "public_speaking"
    LEGAL = "legal"
    MEDICAL = "medical"
    EDUCATION = "education"
    PROJECT_MANAGEMENT = "project_management"
    LEADERSHIP = "leadership"
    COLLABORATION = "collaboration"
    CUSTOM = "custom"
    UTILITY = "utility"


class CompetencyLevel(str, Enum):
    """How far along a learning path a competency lies. Ordered; `beginner` is another word for `novice`."""

    NOVICE = "novice"
    INTERMEDIATE = "intermediate"
    ADVANCED = "advanced"
    EXPERT = "expert"

    @classmethod
    def _missing_(cls, value):
        return cls.NOVICE if value == "beginner" else None

    def _rank(self):
        return _RANKS[self.value]

    def __lt__(self, other):
        return self._rank() < other._rank() if isinstance(other, CompetencyLevel) else NotImplemented

    def __le__(self, other):
        return self._rank() <= other._rank() if isinstance(other, CompetencyLevel) else NotImplemented

    def __gt__(self, other):
        return self._rank() > other._rank() if isinstance(other, CompetencyLevel) else NotImplemented

    def __ge__(self, other):
        return self._rank() >= other._rank() if isinstance(other, CompetencyLevel) else NotImplemented


_RANKS = {"novice": 0, "intermediate": 1, "advanced": 2, "expert": 3}


def known(enum, word):
    """The member of `enum` that `word` names, else `word` as it was given."""
    if isinstance(word, enum) or not isinstance(word, str):
        return word
    try:
        return enum(word)
    except ValueError:
        return word
