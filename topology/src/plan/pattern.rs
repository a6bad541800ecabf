//! A pattern that names source topics by what they have in common. Matched where a log's topics are known; knows no log.

use std::sync::Arc;

use regex_lite::Regex;

/// A regular expression over whole topic names. Two of the same text are the same pattern.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct TopicPattern {
    pub(crate) text: Arc<str>,
}

impl TopicPattern {
    /// Reads a pattern, or says what is wrong with it.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let pattern = Self { text: text.into() };
        pattern.regex().map(|_| pattern).map_err(|error| error.to_string())
    }

    fn regex(&self) -> Result<Regex, regex_lite::Error> {
        Regex::new(&format!("^(?:{})$", self.text))
    }

    /// Whether a topic is meant; Kafka's own topics, which begin with `__`, never are. Asked at start only, so that the
    /// expression is compiled for each question.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        !topic.starts_with("__") && self.regex().is_ok_and(|regex| regex.is_match(topic))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_means_whole_names_and_never_kafkas_own_topics() {
        let pattern = TopicPattern::new("trades-.*|quotes").expect("valid");
        for (topic, is_meant) in [
            ("trades-btc", true),
            ("quotes", true),
            ("my-trades-btc", false),
            ("quotes-btc", false),
            ("trades", false),
        ] {
            assert_eq!(pattern.matches(topic), is_meant, "{topic}");
        }
        let all = TopicPattern::new(".*").expect("valid");
        assert!(all.matches("quotes") && !all.matches("__consumer_offsets"));
        assert!(TopicPattern::new("trades-(").is_err());
    }
}
