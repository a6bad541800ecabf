//! Apache Kafka as it is run where others are about: encrypted listeners, with and without certificates of the clients, a
//! login by SCRAM, and an authorizer that refuses what nobody has allowed. Must not know what is tested on it.

use std::path::{Path, PathBuf};

use super::acls::{Acl, AclClient};
use super::certificates::Certificates;
use super::kafka::{Kafka, format, properties};
use super::missing::Missing;
use super::process::{data_folder, free_port};

/// A broker with four doors: a plain one for the test itself, which may do everything; one with TLS; one that asks for a
/// certificate too; and one with TLS and a login by SCRAM-SHA-512.
#[derive(Debug)]
pub struct SecuredKafka {
    kafka: Kafka,
    certificates: Certificates,
    /// The certificate of a client, and its key.
    client: (PathBuf, PathBuf),
    encrypted: u16,
    mutual: u16,
    login: u16,
}

/// The user that logs in.
const USER: &str = "market-user";
/// His password.
const PASSWORD: &str = "never-seen-a81e";

impl SecuredKafka {
    /// Starts it.
    ///
    /// # Errors
    /// When there is no Java or Maven here, or the broker does not start.
    pub fn start() -> Result<Self, Missing> {
        let folder = data_folder("certificates").map_err(|error| Missing::new("kafka", error.to_string()))?;
        let certificates = Certificates::in_folder(&folder);
        let (certificate, key) = certificates.sign("broker");
        let read = |path: &Path| std::fs::read_to_string(path).map_err(|error| error.to_string());
        let [plain, encrypted, mutual, login] = std::array::from_fn(|_| free_port());
        let authority = certificates.authority();
        let kafka = Kafka::start_in(plain, |parts, folder| {
            let keys = folder.join("broker.pem");
            std::fs::write(&keys, read(&key)? + &read(&certificate)?).map_err(|error| error.to_string())?;
            let file = folder.join("server.properties");
            let text = secured(plain, [encrypted, mutual, login], folder, (&keys, &authority));
            std::fs::write(&file, text).map_err(|error| error.to_string())?;
            let user = format!("SCRAM-SHA-512=[name={USER},password={PASSWORD}]");
            format(parts, &file, &["--add-scram".to_owned(), user])
        })?;
        let client = certificates.sign("candlewick");
        Ok(Self { kafka, certificates, client, encrypted, mutual, login })
    }

    /// The plain door, for the test itself: whoever comes through it may do everything.
    #[must_use]
    pub fn bootstrap(&self) -> &str {
        self.kafka.bootstrap()
    }

    /// The broker behind the doors.
    #[must_use]
    pub fn broker(&self) -> &Kafka {
        &self.kafka
    }

    /// Who has signed the broker's certificate, and signs others.
    #[must_use]
    pub fn certificates(&self) -> &Certificates {
        &self.certificates
    }

    /// The door with TLS: its address, and the properties that lead through it.
    #[must_use]
    pub fn encrypted(&self) -> (String, Vec<(String, String)>) {
        (format!("127.0.0.1:{}", self.encrypted), self.tls("ssl"))
    }

    /// The door with TLS that asks for a certificate, and the properties with one of the user `CN=candlewick`, who may do
    /// everything.
    #[must_use]
    pub fn mutual(&self) -> (String, Vec<(String, String)>) {
        let (certificate, key) = &self.client;
        let mut properties = self.tls("ssl");
        properties.push(("ssl.certificate.location".to_owned(), certificate.display().to_string()));
        properties.push(("ssl.key.location".to_owned(), key.display().to_string()));
        (format!("127.0.0.1:{}", self.mutual), properties)
    }

    /// The door with TLS and a login, and the properties of the user `market-user`, who may do what he is allowed. His
    /// password is [`password`](Self::password).
    #[must_use]
    pub fn login(&self) -> (String, Vec<(String, String)>) {
        let mut properties = self.tls("sasl_ssl");
        properties.push(("sasl.mechanisms".to_owned(), "SCRAM-SHA-512".to_owned()));
        properties.push(("sasl.username".to_owned(), USER.to_owned()));
        (format!("127.0.0.1:{}", self.login), properties)
    }

    /// The password of the user that logs in.
    #[must_use]
    pub fn password(&self) -> &'static str {
        PASSWORD
    }

    /// Allows the user that logs in these things, and nothing else.
    ///
    /// # Panics
    /// When the broker does not do it.
    pub fn allow_only(&self, acls: &[Acl]) {
        AclClient::connect(self.bootstrap()).allow_only(&format!("User:{USER}"), acls);
    }

    fn tls(&self, protocol: &str) -> Vec<(String, String)> {
        let authority = self.certificates.authority().display().to_string();
        let properties = [("security.protocol", protocol.to_owned()), ("ssl.ca.location", authority)];
        properties.map(|(key, value)| (key.to_owned(), value)).to_vec()
    }
}

fn secured(plain: u16, ports: [u16; 3], folder: &Path, (keys, authority): (&Path, &Path)) -> String {
    let controller = free_port();
    let base = properties(plain, plain, controller, &folder.join("logs"));
    let replaced = ["listeners=", "advertised.listeners=", "inter.broker"];
    let base: Vec<&str> =
        base.lines().filter(|line| !replaced.iter().any(|start| line.starts_with(start))).collect();
    let [encrypted, mutual, login] = ports;
    let doors = [("PLAINTEXT", plain), ("ENCRYPTED", encrypted), ("MUTUAL", mutual), ("LOGIN", login)];
    let doors = doors.map(|(name, port)| format!("{name}://127.0.0.1:{port}")).join(",");
    let (keys, authority) = (keys.display(), authority.display());
    let scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;";
    let more = [
        format!("listeners={doors},CONTROLLER://127.0.0.1:{controller}"),
        format!("advertised.listeners={doors}"),
        "inter.broker.listener.name=PLAINTEXT".to_owned(),
        "listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,ENCRYPTED:SSL,MUTUAL:SSL,LOGIN:SASL_SSL"
            .to_owned(),
        "ssl.keystore.type=PEM".to_owned(),
        format!("ssl.keystore.location={keys}"),
        "ssl.truststore.type=PEM".to_owned(),
        format!("ssl.truststore.location={authority}"),
        "listener.name.mutual.ssl.client.auth=required".to_owned(),
        "sasl.enabled.mechanisms=SCRAM-SHA-512".to_owned(),
        format!("listener.name.login.scram-sha-512.sasl.jaas.config={scram}"),
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer".to_owned(),
        "super.users=User:ANONYMOUS;User:CN=candlewick".to_owned(),
    ];
    base.join("\n") + "\n" + &more.join("\n") + "\n"
}
