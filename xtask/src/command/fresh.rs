//! `cargo xtask fresh`: the proof that a machine with Rust, a C compiler and `make` can build the binary. No crate may
//! bring OpenSSL, and the release build runs under a PATH of links from which everything else is missing. It builds
//! into the ordinary target folder: what is fresh in it costs nothing, and the tests of the shipped binary need it anyway.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;

/// Programs a build must not lean on.
const HIDDEN: [&str; 28] = [
    "cmake",
    "ccmake",
    "cmake3",
    "ctest",
    "cpack",
    "ninja",
    "meson",
    "pkg-config",
    "pkgconf",
    "pkgconfig",
    "curl-config",
    "krb5-config",
    "openssl",
    "perl",
    "node",
    "nodejs",
    "npm",
    "npx",
    "yarn",
    "java",
    "javac",
    "jar",
    "mvn",
    "gradle",
    "go",
    "ruby",
    "protoc",
    "cargo-nextest",
];
/// The same by the start of their name: versions stand behind it.
const HIDDEN_STARTS: [&str; 4] = ["python", "pypy", "perl5", "bindgen"];
/// The same by the end of their name: a target stands before it.
const HIDDEN_ENDS: [&str; 2] = ["-pkg-config", "-pkgconf"];
/// Variables that would lead a build script to what is hidden.
const HIDDEN_VARIABLES: [&str; 6] =
    ["CMAKE", "JAVA_HOME", "PKG_CONFIG", "PKG_CONFIG_PATH", "OPENSSL_DIR", "PYTHON"];
/// Crates that need OpenSSL's headers.
const UNWANTED_CRATES: [&str; 2] = ["openssl-sys", "native-tls"];

/// Checks the dependencies and builds; true when both are good.
pub(crate) fn run(_: &[String]) -> io::Result<bool> {
    Ok(without_openssl()? && builds()?)
}

fn without_openssl() -> io::Result<bool> {
    let tree = super::process("cargo")?
        .args(["tree", "--workspace", "--locked", "--prefix", "none", "--format", "{p}"])
        .output()?;
    if !tree.status.success() {
        eprint!("{}", String::from_utf8_lossy(&tree.stderr));
        return Ok(false);
    }
    let found = unwanted(&String::from_utf8_lossy(&tree.stdout));
    for name in &found {
        eprintln!(
            "{name} is among the dependencies: `cargo tree --workspace -i {name}` shows who asks for it"
        );
    }
    Ok(found.is_empty())
}

/// The unwanted crates among lines like `bytes v1.12.0`.
fn unwanted(tree: &str) -> Vec<&'static str> {
    let is_there = |name: &&str| tree.lines().any(|line| line.split(' ').next() == Some(name));
    UNWANTED_CRATES.into_iter().filter(|name| is_there(name)).collect()
}

fn builds() -> io::Result<bool> {
    let folder = super::target_dir()?.join("fresh-path");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let links = link_all(&std::env::split_paths(&path).collect::<Vec<_>>(), &folder)?;
    println!("building with {links} programs on the PATH and none of {}, …", HIDDEN[..7].join(", "));
    let cargo = folder.join("cargo");
    let mut build = super::process(&cargo.to_string_lossy())?;
    for name in HIDDEN_VARIABLES {
        build.env_remove(name);
    }
    Ok(build.args(["build", "--release", "--locked"]).env("PATH", &folder).status()?.success())
}

/// Fills `folder` with links to the programs of all `from`, the first of a name winning as in a PATH.
fn link_all(from: &[impl AsRef<Path>], folder: &Path) -> io::Result<usize> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    let mut links = 0;
    for programs in from {
        // A PATH may name folders that do not exist.
        let Ok(programs) = fs::read_dir(programs) else { continue };
        for program in programs {
            let program = program?;
            let name = program.file_name();
            let link = folder.join(&name);
            if !is_hidden(&name.to_string_lossy()) && link.symlink_metadata().is_err() {
                symlink(program.path(), link)?;
                links += 1;
            }
        }
    }
    Ok(links)
}

fn is_hidden(name: &str) -> bool {
    HIDDEN.contains(&name)
        || HIDDEN_STARTS.iter().any(|start| name.starts_with(start))
        || HIDDEN_ENDS.iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_targets_are_hidden_and_compilers_are_not() {
        for name in
            ["cmake", "python3", "python3.11", "x86_64-linux-gnu-pkg-config", "java", "node", "curl-config"]
        {
            assert!(is_hidden(name), "{name}");
        }
        for name in ["cc", "gcc", "g++", "make", "sh", "bash", "cargo", "rustc", "ld", "ar", "sed"] {
            assert!(!is_hidden(name), "{name}");
        }
    }

    #[test]
    fn a_crate_is_unwanted_by_its_whole_name() {
        assert_eq!(unwanted("native-tls v0.2.1\nopenssl-sys-extras v1.0.0\n"), ["native-tls"]);
    }
}
