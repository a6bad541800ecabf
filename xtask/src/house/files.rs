//! The files of a checkout: everything but what `.gitignore` names at the root. Owns reading them.
//! Must not know any rule.

use std::fs;
use std::io;
use std::path::Path;

/// A text file of the checkout.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path relative to the root, with `/` between parts.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// Files whose text the rules are about, by the end of their name.
const TEXT: [&str; 20] = [
    ".rs",
    ".toml",
    ".md",
    ".js",
    ".html",
    ".css",
    ".yaml",
    ".yml",
    ".sh",
    ".py",
    ".java",
    ".json",
    ".avsc",
    ".scn",
    ".xml",
    ".properties",
    ".svg",
    ".ci/run",
    "Dockerfile",
    ".gitignore",
];

/// Reads all text files below `root` in the order of their paths.
///
/// # Errors
/// When a folder or file cannot be read.
pub fn read_all(root: &Path) -> io::Result<Vec<File>> {
    let ignored = fs::read_to_string(root.join(".gitignore")).unwrap_or_default();
    let mut skip: Vec<&str> =
        ignored.lines().map(|line| line.trim().trim_matches('/')).filter(|line| !line.is_empty()).collect();
    skip.push(".git");
    let mut found = Vec::new();
    walk(root, "", &skip, &mut found)?;
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

fn walk(folder: &Path, prefix: &str, skip: &[&str], found: &mut Vec<File>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
        let kind = entry.file_type()?;
        if skip.contains(&path.as_str()) || kind.is_symlink() {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &path, skip, found)?;
        } else if TEXT.iter().any(|end| path.ends_with(end))
            && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
        {
            found.push(File { path, text });
        }
    }
    Ok(())
}
