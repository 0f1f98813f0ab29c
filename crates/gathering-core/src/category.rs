//! The categories of tools and competencies: the documents' lists, open to any other word.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! categories {
    ($(#[$doc:meta])* $name:ident { $($constant:ident = $value:literal,)* }) => {
        $(#[$doc])*
        ///
        /// A word that is not in the list is kept as given and indexed like the others, never turned into another.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        pub struct $name(Cow<'static, str>);

        #[allow(missing_docs, clippy::allow_attributes, reason = "each constant is the category of its name")]
        impl $name {
            $(pub const $constant: $name = $name(Cow::Borrowed($value));)*
        }

        impl $name {
            /// The categories of the documents, in their order.
            pub const KNOWN: &'static [&'static str] = &[$($value,)*];

            /// The category's word, such as `finance`.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                match Self::KNOWN.iter().find(|known| **known == text) {
                    Some(known) => Self(Cow::Borrowed(known)),
                    None => Self(Cow::Owned(text.to_owned())),
                }
            }
        }
        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::from(text.as_str())
            }
        }
        impl From<$name> for String {
            fn from(category: $name) -> String {
                category.0.into_owned()
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }
    };
}

categories! {
    /// What a tool is about.
    ToolCategory {
        FILE_SYSTEM = "filesystem",
        VERSION_CONTROL = "version_control",
        CODE_EXECUTION = "code_execution",
        TESTING = "testing",
        DEBUGGING = "debugging",
        LLM = "llm",
        IMAGE = "image",
        AUDIO = "audio",
        VIDEO = "video",
        DATA_ANALYSIS = "data_analysis",
        DATABASE = "database",
        FINANCE = "finance",
        ACCOUNTING = "accounting",
        CAD = "cad",
        SIMULATION = "simulation",
        IOT = "iot",
        WEB = "web",
        API = "api",
        CUSTOM = "custom",
        UTILITY = "utility",
    }
}

categories! {
    /// What a competency is about.
    CompetencyCategory {
        PROGRAMMING = "programming",
        WEB_DEVELOPMENT = "web_development",
        MOBILE_DEVELOPMENT = "mobile_development",
        DATABASE = "database",
        DEVOPS = "devops",
        MACHINE_LEARNING = "machine_learning",
        DEEP_LEARNING = "deep_learning",
        NLP = "nlp",
        COMPUTER_VISION = "computer_vision",
        GRAPHIC_DESIGN = "graphic_design",
        UI_UX_DESIGN = "ui_ux_design",
        VIDEO_EDITING = "video_editing",
        AUDIO_PRODUCTION = "audio_production",
        THREE_D_MODELING = "three_d_modeling",
        FINANCIAL_ANALYSIS = "financial_analysis",
        ACCOUNTING = "accounting",
        BUSINESS_STRATEGY = "business_strategy",
        MARKETING = "marketing",
        SALES = "sales",
        MECHANICAL_ENGINEERING = "mechanical_engineering",
        ELECTRICAL_ENGINEERING = "electrical_engineering",
        CAD = "cad",
        SIMULATION = "simulation",
        IOT = "iot",
        DATA_SCIENCE = "data_science",
        STATISTICS = "statistics",
        SCIENTIFIC_COMPUTING = "scientific_computing",
        RESEARCH_METHODS = "research_methods",
        WRITING = "writing",
        TRANSLATION = "translation",
        PUBLIC_SPEAKING = "public_speaking",
        LEGAL = "legal",
        MEDICAL = "medical",
        EDUCATION = "education",
        PROJECT_MANAGEMENT = "project_management",
        LEADERSHIP = "leadership",
        COLLABORATION = "collaboration",
        CUSTOM = "custom",
        UTILITY = "utility",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_category_is_kept_as_given() {
        let category: CompetencyCategory = serde_json::from_str("\"engineering\"").expect("a string");

        assert_eq!(category.as_str(), "engineering");
        assert_eq!(serde_json::to_string(&category).expect("a string"), "\"engineering\"");
    }

    #[test]
    fn a_known_category_equals_its_constant() {
        assert_eq!(ToolCategory::from("filesystem"), ToolCategory::FILE_SYSTEM);
        assert_eq!(ToolCategory::KNOWN.len(), 20);
        assert_eq!(CompetencyCategory::KNOWN.len(), 39);
    }
}
