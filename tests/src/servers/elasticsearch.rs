//! Elasticsearch: a real node of one, assembled from the jars of Maven Central by `servers/elasticsearch`.

use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use super::cache::{Parts, done, jars, java, recipe};
use super::missing::Missing;
use super::process::{Process, answers, data_folder, free_port};

const SERVER: &str = "elasticsearch";
const PARTS: Parts = Parts { server: SERVER, version: "8.19.21", make };

/// An Elasticsearch node.
#[derive(Debug)]
pub struct Elasticsearch {
    url: String,
    _process: Option<Process>,
}

/// The node that all tests of this process share.
///
/// # Errors
/// When there is no JDK or Maven here, or the node does not start.
pub fn elasticsearch() -> Result<&'static Elasticsearch, Missing> {
    static SHARED: OnceLock<Result<Elasticsearch, Missing>> = OnceLock::new();
    let shared = SHARED.get_or_init(|| match std::env::var("CANDLEWICK_ELASTICSEARCH") {
        Ok(url) => Ok(Elasticsearch { url, _process: None }),
        Err(_) => start(),
    });
    shared.as_ref().map_err(Clone::clone)
}

impl Elasticsearch {
    /// Its address, without a slash at its end.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

fn start() -> Result<Elasticsearch, Missing> {
    let missing = |why: String| Missing::new(SERVER, why);
    let parts = PARTS.folder()?;
    let folder = data_folder(SERVER).map_err(|error| missing(error.to_string()))?;
    for inner in ["data", "config", "plugins"] {
        std::fs::create_dir_all(folder.join(inner)).map_err(|error| missing(error.to_string()))?;
    }
    std::os::unix::fs::symlink(parts.join("modules"), folder.join("modules"))
        .map_err(|error| missing(error.to_string()))?;
    let (http, transport) = (free_port(), free_port());
    let mut command = Command::new(java(17).map_err(missing)?);
    command.args(["-Xms384m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]);
    command.arg("-Des.distribution.type=tar").arg("-cp");
    command.arg(format!("{0}/classes:{0}/libs/*", parts.display()));
    command.arg("EsNode").arg(&folder).arg(http.to_string()).arg(transport.to_string());
    let url = format!("http://127.0.0.1:{http}");
    let mut process = Process::start(SERVER, command, &folder.join("node.log"))?;
    process.wait_until(Duration::from_secs(120), |_| answers(&format!("{url}/_cluster/health")))?;
    Ok(Elasticsearch { url, _process: Some(process) })
}

fn make(folder: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| error.to_string();
    let libs = folder.join("libs");
    jars(&recipe("elasticsearch/pom.xml"), &libs)?;
    let netty = folder.join("netty");
    jars(&recipe("elasticsearch/netty/pom.xml"), &netty)?;
    let transport = folder.join("modules/transport-netty4");
    let root = folder.join("modules/rest-root");
    std::fs::create_dir_all(&transport).map_err(failed)?;
    std::fs::create_dir_all(&root).map_err(failed)?;
    // A module may not bring a jar that the node has already.
    for entry in std::fs::read_dir(&netty).map_err(failed)?.flatten() {
        if !libs.join(entry.file_name()).exists() {
            std::fs::rename(entry.path(), transport.join(entry.file_name())).map_err(failed)?;
        }
    }
    std::fs::remove_dir_all(&netty).map_err(failed)?;
    let describe = |name: &str, class: &str| {
        format!(
            "description={name}\nversion=8.19.21\nname={name}\nclassname={class}\njava.version=17\n\
             elasticsearch.version=8.19.21\nextended.plugins=\nhas.native.controller=false\n"
        )
    };
    let file = "plugin-descriptor.properties";
    let class = "org.elasticsearch.transport.netty4.Netty4Plugin";
    std::fs::write(transport.join(file), describe("transport-netty4", class)).map_err(failed)?;
    std::fs::write(root.join(file), describe("rest-root", "RestRootPlugin")).map_err(failed)?;
    let compile = |source: &str, to: &Path| {
        let mut javac = Command::new("javac");
        javac.arg("-cp").arg(format!("{}/*", libs.display())).arg("-d").arg(to);
        done("javac", javac.arg(recipe(&format!("elasticsearch/{source}.java"))))
    };
    compile("EsNode", &folder.join("classes"))?;
    compile("RestRootPlugin", &folder.join("root"))?;
    let mut jar = Command::new("jar");
    jar.arg("cf").arg(root.join("rest-root.jar")).arg("-C").arg(folder.join("root")).arg(".");
    done("jar", &mut jar)
}
