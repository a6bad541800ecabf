//! The reference loader of Compose files, built from our few lines of Go around it. Must not know what the file is for.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::yaml::documents;
use crate::servers::Missing;
use crate::servers::cache::{Parts, recipe};

const PARTS: Parts = Parts { server: "composecheck", version: "compose-go-2.16.2", make };

/// The loader.
#[derive(Debug)]
pub struct ComposeCheck {
    binary: PathBuf,
}

/// The loader, built once for this machine.
///
/// # Errors
/// When there is no Go, or the loader's modules cannot be had.
pub fn composecheck() -> Result<ComposeCheck, Missing> {
    Ok(ComposeCheck { binary: PARTS.folder()?.join("composecheck") })
}

impl ComposeCheck {
    /// The project that a file makes, with every short form written out.
    ///
    /// # Errors
    /// The loader's sentence when it refuses the file.
    pub fn load(&self, file: &Path) -> Result<Value, String> {
        let output = Command::new(&self.binary).arg(file).output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
        }
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let project = documents(&text).map_err(|error| error.to_string())?.pop();
        project.ok_or_else(|| "the loader printed no project".to_owned())
    }
}

fn make(folder: &Path) -> Result<(), String> {
    let mut go = Command::new("go");
    go.args(["build", "-o"]).arg(folder.join("composecheck")).arg(".");
    go.current_dir(recipe("composecheck"));
    let output = go.output().map_err(|error| {
        format!("`go` does not run ({error}): install Go of 1.24 or newer to check the Compose file")
    })?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`go build` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
