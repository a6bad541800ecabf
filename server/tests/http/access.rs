//! Who may ask: by nothing, by a token, by a certificate.

use std::path::Path;
use std::sync::Arc;

use candlewick::ApplicationState;
use candlewick_server::{Access, Feed, ServerError, StatusServer, TlsFiles, ask_health};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use reqwest::blocking::{Client, ClientBuilder};

use crate::application::{PlainApplication, recorder};

const TOKEN: &str = "never-seen-77aa";
/// All addresses of this machine.
const ANYWHERE: ([u8; 4], u16) = ([0, 0, 0, 0], 0);

fn start(access: &Access) -> Result<StatusServer, ServerError> {
    let application = Arc::new(PlainApplication::new(ApplicationState::Running));
    StatusServer::start(ANYWHERE.into(), access, application, Arc::new(Feed::default()), recorder())
}

fn url(server: &StatusServer, scheme: &str, path: &str) -> String {
    format!("{scheme}://127.0.0.1:{}{path}", server.local_addr().port())
}

fn code(client: &Client, url: &str) -> u16 {
    client.get(url).send().unwrap().status().as_u16()
}

#[test]
fn an_address_that_other_machines_reach_is_refused_in_one_sentence() {
    let error = start(&Access::default()).unwrap_err();
    assert!(matches!(error, ServerError::Unprotected { .. }), "{error}");
    let sentence = error.to_string();
    assert!(sentence.contains("0.0.0.0:0") && sentence.contains("CANDLEWICK_TOKEN"), "{sentence}");
}

#[test]
fn with_a_token_everything_but_health_asks_for_it_and_nothing_shows_it() {
    let server = start(&Access::default().with_token(TOKEN)).unwrap();
    let client = Client::new();
    let paths = [
        "/",
        "/page/main.js",
        "/metrics",
        "/status",
        "/tasks",
        "/topology",
        "/topology.txt",
        "/stores",
        "/stores/x",
        "/stores/x/y",
        "/feed",
        "/feed/snapshot",
        "/nowhere",
    ];
    for path in paths {
        let refused = client.get(url(&server, "http", path)).send().unwrap();
        assert_eq!(refused.status(), 401, "{path}");
        assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic"), "{path}");
        assert!(!refused.text().unwrap().contains(TOKEN), "{path}");
        let wrong = client.get(url(&server, "http", path)).bearer_auth("never-seen-77ab").send().unwrap();
        assert_eq!(wrong.status(), 401, "{path}");
    }
    for path in ["/", "/metrics", "/status", "/tasks", "/topology.txt", "/stores"] {
        let told = client.get(url(&server, "http", path)).bearer_auth(TOKEN).send().unwrap();
        assert_eq!(told.status(), 200, "{path}");
        assert!(!told.text().unwrap().contains(TOKEN), "{path}");
        let asked = client.get(url(&server, "http", path)).basic_auth("anybody", Some(TOKEN)).send().unwrap();
        assert_eq!(asked.status(), 200, "{path}");
    }
    for path in ["/health/live", "/health/ready"] {
        assert_eq!(code(&client, &url(&server, "http", path)), 200, "{path}");
    }
    assert!(!format!("{server:?}").contains(TOKEN));
}

/// An authority in a folder, with a certificate and key for this machine.
fn certificates(folder: &Path, name: &str) -> TlsFiles {
    let mut params = CertificateParams::new(vec![]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let signed =
        CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let file = |end: &str, text: String| {
        let path = folder.join(format!("{name}.{end}"));
        std::fs::write(&path, text).unwrap();
        path
    };
    TlsFiles {
        certificate: file("crt", signed.pem()),
        key: file("key", key.serialize_pem()),
        clients: Some(file("ca", authority.pem())),
    }
}

fn trusting(files: &TlsFiles) -> ClientBuilder {
    let authority = std::fs::read(files.clients.as_ref().unwrap()).unwrap();
    Client::builder().tls_certs_only([reqwest::Certificate::from_pem(&authority).unwrap()])
}

fn showing(builder: ClientBuilder, files: &TlsFiles) -> Client {
    let own = [std::fs::read(&files.key).unwrap(), std::fs::read(&files.certificate).unwrap()].concat();
    builder.identity(reqwest::Identity::from_pem(&own).unwrap()).build().unwrap()
}

#[test]
fn with_mutual_tls_a_trusted_certificate_may_ask_and_nobody_else() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "ours");
    let server = start(&Access::default().with_tls(files.clone())).unwrap();
    let status = url(&server, "https", "/status");
    let shown = showing(trusting(&files), &files);
    assert_eq!(code(&shown, &status), 200);
    let bare = trusting(&files).build().unwrap();
    assert_eq!(code(&bare, &status), 401);
    assert_eq!(code(&bare, &url(&server, "https", "/health/live")), 200);
    let foreign = certificates(folder.path(), "foreign");
    assert!(showing(trusting(&files), &foreign).get(&status).send().is_err(), "another authority's");
    assert!(Client::new().get(url(&server, "http", "/status")).send().is_err(), "it is encrypted");
    assert!(Client::new().get(&status).send().is_err(), "the server's authority is not the system's");
    let local = ([127, 0, 0, 1], server.local_addr().port()).into();
    assert_eq!(ask_health(local, "/health/live", true).unwrap().0, 200);
}

#[test]
fn encryption_and_a_token_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let ours = certificates(folder.path(), "ours");
    let access = Access::default().with_tls(TlsFiles { clients: None, ..ours.clone() });
    assert!(matches!(start(&access).unwrap_err(), ServerError::Unprotected { .. }));
    let server = start(&access.with_token(TOKEN)).unwrap();
    let client = trusting(&ours).build().unwrap();
    let status = url(&server, "https", "/status");
    assert_eq!(code(&client, &status), 401);
    assert_eq!(client.get(status).bearer_auth(TOKEN).send().unwrap().status(), 200);
}

#[test]
fn a_slow_handshake_keeps_nobody_waiting() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "ours");
    let server = start(&Access::default().with_tls(files.clone())).unwrap();
    let _silent: Vec<_> = (0..8)
        .map(|_| std::net::TcpStream::connect(("127.0.0.1", server.local_addr().port())).unwrap())
        .collect();
    assert_eq!(code(&showing(trusting(&files), &files), &url(&server, "https", "/status")), 200);
}

#[test]
fn a_file_that_is_no_certificate_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let files = certificates(folder.path(), "ours");
    for (wrong, name) in [
        (TlsFiles { certificate: folder.path().join("none"), ..files.clone() }, "none"),
        (TlsFiles { key: files.certificate.clone(), ..files.clone() }, "ours.crt"),
        (TlsFiles { clients: Some(files.key.clone()), ..files.clone() }, "ours.key"),
    ] {
        let error = start(&Access::default().with_tls(wrong)).unwrap_err();
        assert!(matches!(error, ServerError::Certificate { .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
    }
}
