//! What is said of a missing permission: who lacks which operation on which resource, in Kafka's own words, so that it can
//! be granted as it stands. Must not know how it was found out.

use rdkafka::error::RDKafkaErrorCode as Code;

use super::settings::KafkaSettings;

/// Whom the brokers take this client for.
pub(super) fn principal(settings: &KafkaSettings) -> String {
    let said = |name: &str| settings.properties.get(name).map(String::as_str);
    let protocol = said("security.protocol").unwrap_or_default().to_ascii_lowercase();
    match said("sasl.username").filter(|_| protocol.starts_with("sasl")) {
        Some(user) => format!("User:{user}"),
        None if protocol == "ssl"
            && settings.properties.keys().any(|key| key.starts_with("ssl.certificate")) =>
        {
            "the user of this client's certificate".to_owned()
        }
        None if protocol.starts_with("sasl") => "this user".to_owned(),
        None => "User:ANONYMOUS".to_owned(),
    }
}

/// The sentence.
pub(super) fn lacking(who: &str, operation: &str, resource: &str, name: &str) -> String {
    format!("{who} lacks {operation} on the {resource} `{name}`")
}

/// The sentence for what a broker has refused while `attempt` was made; `name` is the resource's.
pub(super) fn refused(who: &str, code: Code, attempt: &str, name: &str) -> Option<String> {
    let (operation, resource) = match code {
        Code::TopicAuthorizationFailed => (of_topic(attempt), "topic"),
        Code::GroupAuthorizationFailed => (of_group(attempt), "group"),
        Code::TransactionalIdAuthorizationFailed => ("Write", "transactional id"),
        Code::ClusterAuthorizationFailed => {
            return Some(lacking(who, "the operation", "cluster", "kafka-cluster"));
        }
        _ => return None,
    };
    Some(lacking(who, operation, resource, name))
}

fn of_topic(attempt: &str) -> &'static str {
    match attempt {
        "creating topics" => "Create",
        "deleting topics" | "deleting records" => "Delete",
        "reading a topic's configuration" => "DescribeConfigs",
        "changing a topic's configuration" => "AlterConfigs",
        "writing records" | "sending a record" => "Write",
        "looking up offsets" => "Describe",
        _ => "Read",
    }
}

fn of_group(attempt: &str) -> &'static str {
    match attempt {
        "deleting a group" => "Delete",
        "reading a group's members" | "reading a group's offsets" => "Describe",
        _ => "Read",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_not_allowed_is_who_logs_in() {
        let mut settings = KafkaSettings::new("localhost:9092", "test");
        assert_eq!(principal(&settings), "User:ANONYMOUS");
        settings.properties.insert("sasl.username".to_owned(), "market".to_owned());
        assert_eq!(principal(&settings), "User:ANONYMOUS", "nobody logs in");
        settings.properties.insert("security.protocol".to_owned(), "SASL_SSL".to_owned());
        assert_eq!(principal(&settings), "User:market");
        settings.properties.insert("security.protocol".to_owned(), "ssl".to_owned());
        settings.properties.insert("ssl.certificate.location".to_owned(), "client.pem".to_owned());
        assert_eq!(principal(&settings), "the user of this client's certificate");
    }

    #[test]
    fn what_is_missing_can_be_granted_as_it_is_said() {
        let said = refused("User:market", Code::TopicAuthorizationFailed, "writing records", "candles");
        assert_eq!(said.as_deref(), Some("User:market lacks Write on the topic `candles`"));
        let said = refused("User:market", Code::GroupAuthorizationFailed, "polling the group", "market");
        assert_eq!(said.as_deref(), Some("User:market lacks Read on the group `market`"));
        assert_eq!(refused("User:market", Code::BrokerNotAvailable, "writing records", "candles"), None);
    }
}
