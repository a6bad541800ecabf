//! PostgreSQL's JDBC driver: the real one from Maven Central, behind a few lines of Java that `servers/jdbc` holds. It is no
//! server, and missing like one.

use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::cache::{Parts, done, jars, java, recipe};
use super::missing::Missing;

const NAME: &str = "jdbc";
const PARTS: Parts = Parts { server: NAME, version: "postgresql-42.7.8", make };

/// The driver, for one address.
#[derive(Clone, Debug)]
pub struct Jdbc {
    java: PathBuf,
    driver: PathBuf,
    program: PathBuf,
    address: SocketAddr,
    properties: Vec<(&'static str, &'static str)>,
}

/// The driver for this address.
///
/// # Errors
/// When there is no JDK of 17 or newer, or no Maven.
pub fn jdbc(address: SocketAddr) -> Result<Jdbc, Missing> {
    let java = java(17).map_err(|why| Missing::new(NAME, why))?;
    let driver = PARTS.folder()?;
    Ok(Jdbc { java, driver, program: recipe("jdbc/Ask.java"), address, properties: Vec::new() })
}

impl Jdbc {
    /// With a property of the driver's, such as `binaryTransfer`.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.properties.push((name, value));
        self
    }

    /// What it answers to each of these questions, in lines; `Ask.java` says what may be asked.
    ///
    /// # Panics
    /// When it does not connect, or does not run to its end.
    #[must_use]
    pub fn ask(&self, questions: &[&str]) -> Vec<Vec<String>> {
        let mut command = Command::new(&self.java);
        command.args(["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
        command.arg(format!("{}/*", self.driver.display())).arg(&self.program);
        command.arg(format!("jdbc:postgresql://{}/candlewick", self.address));
        command.args(self.properties.iter().flat_map(|(name, value)| [*name, *value]));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("java has run before");
        let mut input = child.stdin.take().expect("the pipe was asked for above");
        input.write_all((questions.join("\n") + "\n").as_bytes()).expect("it listens");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        let (out, errors) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{errors}{out}");
        let mut answers = vec![Vec::new()];
        for line in out.lines() {
            match (line, answers.last_mut()) {
                (".", _) => answers.push(Vec::new()),
                (line, Some(answer)) => answer.push(line.to_owned()),
                (_, None) => {}
            }
        }
        answers.pop();
        assert_eq!(answers.len(), questions.len(), "{out}");
        answers
    }
}

fn make(folder: &Path) -> Result<(), String> {
    let jar = folder.to_owned();
    jars(&recipe("jdbc/pom.xml"), &jar)?;
    // The program is run from its source: that needs the compiler, which a mere runtime lacks.
    done("javac", Command::new("javac").arg("--version"))
}
