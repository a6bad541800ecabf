//! `psql`, PostgreSQL's own client, from the path: asks what answers as PostgreSQL does. It is no server, and missing like
//! one.

use std::net::SocketAddr;
use std::process::Command;

use super::missing::Missing;

const PROGRAM: &str = "psql";
/// Between the columns of a row: in no value of a test.
const BETWEEN: char = '\u{1f}';

/// Where `psql` asks, and as whom.
#[derive(Clone, Debug)]
pub struct Psql {
    address: SocketAddr,
    password: Option<String>,
}

/// What a run of it said.
#[derive(Clone, Debug)]
pub struct Said {
    /// Whether all went well.
    pub good: bool,
    /// What it printed.
    pub out: String,
    /// What it complained about.
    pub errors: String,
}

/// `psql` for this address.
///
/// # Errors
/// When it is not on the path.
pub fn psql(address: SocketAddr) -> Result<Psql, Missing> {
    match Command::new(PROGRAM).arg("--version").output() {
        Ok(_) => Ok(Psql { address, password: None }),
        Err(error) => Err(Missing::new(
            PROGRAM,
            format!("`psql` does not run ({error}): install it (Debian's postgresql-client)"),
        )),
    }
}

impl Psql {
    /// With a password.
    #[must_use]
    pub fn with_password(mut self, password: &str) -> Self {
        self.password = Some(password.to_owned());
        self
    }

    /// Runs it with these arguments.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn run(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(PROGRAM);
        command.args([
            "-X",
            "-w",
            "-h",
            &self.address.ip().to_string(),
            "-p",
            &self.address.port().to_string(),
        ]);
        command.args(["-U", "tester", "-d", "candlewick", "-v", "ON_ERROR_STOP=1"]).args(arguments);
        command.env("PGCONNECT_TIMEOUT", "20").env_remove("PGPASSWORD");
        if let Some(password) = &self.password {
            command.env("PGPASSWORD", password);
        }
        let output = command.output().expect("psql has run before");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Said { good: output.status.success(), out: text(&output.stdout), errors: text(&output.stderr) }
    }

    /// What it says to one command, be it SQL or its own.
    #[must_use]
    pub fn say(&self, command: &str) -> Said {
        self.run(&["-c", command])
    }

    /// The rows of a query as text; nothing is the word `null`.
    ///
    /// # Panics
    /// When the query fails.
    #[must_use]
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let between = BETWEEN.to_string();
        let said = self.run(&["-A", "-t", "-F", &between, "-P", "null=null", "-c", sql]);
        assert!(said.good, "{sql}\n{}{}", said.errors, said.out);
        said.out.lines().map(|line| line.split(BETWEEN).map(str::to_owned).collect()).collect()
    }

    /// The one value of a query.
    ///
    /// # Panics
    /// When the query fails or has not one value.
    #[must_use]
    pub fn value(&self, sql: &str) -> String {
        match self.rows(sql).as_mut_slice() {
            [row] if row.len() == 1 => row.remove(0),
            other => panic!("{sql}: one value was expected: {other:?}"),
        }
    }

    /// What a statement is refused with.
    ///
    /// # Panics
    /// When it is not.
    #[must_use]
    pub fn refusal(&self, sql: &str) -> String {
        let said = self.run(&["-v", "VERBOSITY=verbose", "-c", sql]);
        assert!(!said.good, "{sql} was answered: {}", said.out);
        said.errors
    }
}
