//! How connections of our own are secured, read from librdkafka's properties, so that both kinds of connections are told
//! the same once. What it cannot read means that librdkafka serves alone. Must not know how a connection is encrypted or
//! a login is said.

use std::collections::BTreeMap;

use super::super::settings::{KafkaSettings, meant_for};
use super::login::{Credentials, Mechanism};
#[cfg(feature = "kafka-tls")]
use super::tls;
use crate::client::error::ClientError;

/// What a connection does before the first request.
#[derive(Clone, Debug, Default)]
pub(super) struct Security {
    #[cfg(feature = "kafka-tls")]
    pub(super) tls: Option<tls::TlsClient>,
    pub(super) login: Option<Credentials>,
}

impl Security {
    /// Whether connections of our own can be secured as these properties ask; `kind` is the prefix of those that are
    /// stronger.
    pub(super) fn is_ours(cluster: &KafkaSettings, kind: &str) -> bool {
        Plan::of(cluster, kind).is_some()
    }

    /// Reads the properties and the files that they name.
    pub(super) fn of(cluster: &KafkaSettings, kind: &str) -> Result<Self, ClientError> {
        let refuse = |reason: String| ClientError::Fatal { operation: "connecting to Kafka", reason };
        let plan = Plan::of(cluster, kind).ok_or_else(|| {
            refuse(
                "these connections cannot be secured as the properties ask: leave `fetcher` out".to_owned(),
            )
        })?;
        Ok(Self {
            #[cfg(feature = "kafka-tls")]
            tls: plan.tls.as_ref().map(tls::TlsClient::new).transpose().map_err(refuse)?,
            login: plan.login,
        })
    }
}

/// Whether this property says how connections are secured.
pub(super) fn is_about_security(plain: &str) -> bool {
    plain == "security.protocol"
        || ["sasl.", "ssl.", "enable.ssl."].iter().any(|start| plain.starts_with(start))
}

/// The properties, read; no file has been opened.
struct Plan {
    #[cfg(feature = "kafka-tls")]
    tls: Option<tls::TlsPlan>,
    login: Option<Credentials>,
}

impl Plan {
    /// `None` where something is asked for that only librdkafka can do.
    fn of(cluster: &KafkaSettings, kind: &str) -> Option<Self> {
        let mut said = properties(cluster, kind);
        let protocol = said.remove("security.protocol").map_or(String::new(), str::to_ascii_lowercase);
        let (is_encrypted, has_login) = match protocol.as_str() {
            "" | "plaintext" => (false, false),
            "ssl" => (true, false),
            "sasl_plaintext" => (false, true),
            "sasl_ssl" => (true, true),
            _ => return None,
        };
        let login = Credentials::take(&mut said);
        #[cfg(feature = "kafka-tls")]
        let tls = match is_encrypted {
            true => Some(tls::TlsPlan::take(&mut said)?),
            false => None,
        };
        #[cfg(not(feature = "kafka-tls"))]
        if is_encrypted {
            return None;
        }
        // Without encryption nobody asks for what is said about it; else what is left over is not known here.
        let is_known = said.keys().all(|plain| match plain.starts_with("sasl.") {
            true => !has_login,
            false => !is_encrypted,
        });
        let login = match login {
            _ if !has_login => None,
            Some(login) if login.mechanism != Mechanism::Foreign => Some(login),
            _ => return None,
        };
        is_known.then_some(Self {
            #[cfg(feature = "kafka-tls")]
            tls,
            login,
        })
    }
}

/// The properties about security that are meant for this kind of client, by their plain names.
fn properties<'a>(cluster: &'a KafkaSettings, kind: &str) -> BTreeMap<&'a str, &'a str> {
    let mut said = BTreeMap::new();
    for prefix in [None, Some(kind)] {
        let meant = cluster.properties.iter().filter_map(|(key, value)| {
            let plain = meant_for(key, prefix)?;
            is_about_security(plain).then_some((plain, value.as_str()))
        });
        said.extend(meant);
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_ours(properties: &[(&str, &str)]) -> bool {
        let mut cluster = KafkaSettings::new("localhost:9093", "test");
        cluster.properties =
            properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Security::is_ours(&cluster, "consumer")
    }

    #[test]
    fn a_login_by_plain_needs_no_feature() {
        let login = [
            ("security.protocol", "SASL_PLAINTEXT"),
            ("sasl.mechanisms", "PLAIN"),
            ("sasl.username", "market"),
            ("sasl.password", "secret"),
        ];
        assert!(is_ours(&[]));
        assert!(is_ours(&login));
        assert!(is_ours(&[("ssl.ca.location", "ca.crt")]), "nothing is encrypted");
        assert!(!is_ours(&login[..3]), "a login without its password is librdkafka's to refuse");
        let mut kerberos = login;
        kerberos[1].1 = "GSSAPI";
        assert!(!is_ours(&kerberos));
    }

    #[test]
    fn properties_of_one_kind_of_client_are_stronger() {
        assert!(is_ours(&[("security.protocol", "ssl"), ("consumer.security.protocol", "plaintext")]));
        assert!(is_ours(&[("producer.security.protocol", "unknown")]));
        assert!(!is_ours(&[("consumer.security.protocol", "unknown")]));
    }

    #[cfg(feature = "kafka-tls")]
    #[test]
    fn what_only_librdkafka_can_do_is_left_to_it() {
        let ssl = ("security.protocol", "ssl");
        assert!(is_ours(&[
            ssl,
            ("ssl.ca.location", "ca.crt"),
            ("enable.ssl.certificate.verification", "true")
        ]));
        for property in [
            ("ssl.keystore.location", "keys.p12"),
            ("ssl.key.password", "secret"),
            ("ssl.endpoint.identification.algorithm", "none"),
            ("enable.ssl.certificate.verification", "false"),
            ("ssl.cipher.suites", "AES128-SHA"),
        ] {
            assert!(!is_ours(&[ssl, property]), "{property:?}");
        }
    }

    #[test]
    fn no_password_is_in_what_is_printed_for_debugging() {
        let mut cluster = KafkaSettings::new("localhost:9093", "test");
        for (key, value) in [
            ("security.protocol", "sasl_plaintext"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "market"),
            ("sasl.password", "never-seen"),
        ] {
            cluster.properties.insert(key.to_owned(), value.to_owned());
        }
        let security = Security::of(&cluster, "admin").expect("ours");
        let printed = format!("{cluster:?} {security:?}");
        assert!(printed.contains("market") && !printed.contains("never-seen"), "{printed}");
    }
}
