//! `cargo xtask oracle`: asks Kafka Streams itself, by the Java program in `tests/oracle/generator`, what comes out for
//! inputs that nobody has seen yet, and holds our answers against its own. Owns the order and the words for what is
//! missing on this machine; what a case is, the generator and the conformance suite know.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};

const USAGE: &str = "cargo xtask oracle [--seeds N] [--seed S] [--out DIR]: N random cases of every spec from seed S on \
                     (without --seeds the cases of the repository), written to DIR";

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    /// How many random cases of each spec; none: those that the spec names.
    seeds: Option<u32>,
    /// The first seed.
    seed: u32,
    /// Where golden files go; none: into the target folder.
    out: Option<PathBuf>,
}

/// Makes the golden files and runs the conformance suite over them; true when nothing differs.
pub(crate) fn run(options: &[String]) -> io::Result<bool> {
    let request = match parse(options) {
        Ok(request) => request,
        Err(mistake) => {
            eprintln!("{mistake}\n{USAGE}");
            return Ok(false);
        }
    };
    if let Some(program) = ["java", "javac", "mvn"].into_iter().find(|program| !exists(program)) {
        eprintln!(
            "`cargo xtask oracle` asks Kafka Streams itself and found no `{program}` on the PATH: install a JDK (17 or \
             newer) and Maven, or run the cases of the repository with `cargo test -p candlewick-tests --test conformance`"
        );
        return Ok(false);
    }
    let target = super::target_dir()?.join("oracle");
    let golden = match &request.out {
        Some(folder) => std::env::current_dir()?.join(folder),
        None => target.join("golden"),
    };
    clear(&golden)?;
    let generator = super::root()?.join("tests/oracle/generator");
    if !(builds(&generator, &target)? && generates(&request, &generator, &target, &golden)?) {
        return Ok(false);
    }
    let mut suite = super::process("cargo")?;
    suite.args(["test", "--package", "candlewick-tests", "--test", "conformance"]);
    Ok(suite.env("CANDLEWICK_ORACLE", &golden).status()?.success())
}

fn parse(options: &[String]) -> Result<Request, String> {
    let mut request = Request { seeds: None, seed: 1, out: None };
    let mut options = options.iter();
    while let Some(option) = options.next() {
        let mut value = || options.next().ok_or_else(|| format!("{option} needs a value behind it"));
        let number = |text: &String| {
            let parsed = text.parse::<u32>().ok().filter(|number| *number > 0);
            parsed.ok_or_else(|| format!("{option} needs a number of at least 1, not `{text}`"))
        };
        match option.as_str() {
            "--seeds" => request.seeds = Some(number(value()?)?),
            "--seed" => request.seed = number(value()?)?,
            "--out" => request.out = Some(value()?.into()),
            unknown => return Err(format!("`cargo xtask oracle` has no option `{unknown}`.")),
        }
    }
    Ok(request)
}

fn exists(program: &str) -> bool {
    let mut call = Process::new(program);
    call.arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// Leaves an empty folder. One that holds anything but golden files is not ours to empty.
fn clear(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    if let Some(other) = entries.iter().find(|path| path.extension().is_none_or(|kind| kind != "json")) {
        let other = other.display();
        return Err(io::Error::other(format!("{other} is no golden file: --out needs a folder of its own")));
    }
    entries.iter().try_for_each(fs::remove_file)
}

/// Compiles the generator into the target folder and writes down its class path.
fn builds(generator: &Path, target: &Path) -> io::Result<bool> {
    let folder = |name: &str, path: &Path| format!("-D{name}={}", path.display());
    let mut maven = super::process("mvn")?;
    maven.current_dir(generator).args(["-q", "compile", "dependency:build-classpath"]);
    maven.arg(folder("built", &target.join("java"))).arg(folder("mdep.outputFile", &target.join("cp.txt")));
    Ok(maven.status()?.success())
}

fn generates(request: &Request, generator: &Path, target: &Path, golden: &Path) -> io::Result<bool> {
    let libraries = fs::read_to_string(target.join("cp.txt"))?;
    let classes = target.join("java/classes");
    let mut java = super::process("java")?;
    java.arg("-cp").arg(format!("{}:{}", classes.display(), libraries.trim()));
    if let Some(seeds) = request.seeds {
        java.arg(format!("-Dseeds={seeds}"));
    }
    java.arg(format!("-Dfirst={}", request.seed)).arg("oracle.Main");
    Ok(java.arg(generator.join("specs")).arg(golden).status()?.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Request, String> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_options_the_cases_of_the_repository_are_asked_again() {
        assert_eq!(parsed(""), Ok(Request { seeds: None, seed: 1, out: None }));
    }

    #[test]
    fn options_take_the_word_behind_them() {
        let expected = Request { seeds: Some(7), seed: 1000, out: Some("here".into()) };
        assert_eq!(parsed("--seeds 7 --out here --seed 1000"), Ok(expected));
    }

    #[test]
    fn a_mistake_is_named() {
        for (line, part) in
            [("--seeds", "--seeds"), ("--seeds many", "`many`"), ("--seed 0", "`0`"), ("-n", "`-n`")]
        {
            let mistake = parsed(line).expect_err("the line has a mistake");
            assert!(mistake.contains(part), "{mistake}");
        }
    }

    #[test]
    fn a_folder_with_other_files_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("candlewick-oracle-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a temporary folder can be made");
        let (golden, other) = (folder.join("count.json"), folder.join("notes.txt"));
        fs::write(&golden, "{}").expect("writable");
        fs::write(&other, "mine").expect("writable");
        assert!(clear(&folder).is_err() && golden.exists());
        fs::remove_file(&other).expect("removable");
        clear(&folder).expect("holds golden files only");
        assert!(!golden.exists());
        fs::remove_dir(&folder).expect("empty");
    }
}
