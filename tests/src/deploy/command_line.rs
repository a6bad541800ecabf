//! The binary's command line as its own source declares it: commands, flags, variables, choices. It is read as text, so
//! that a check of deployment files need not build the binary. Must not know what any flag means.

use std::collections::{BTreeMap, BTreeSet};

/// Flags and variables of each command.
#[derive(Debug, Default)]
pub struct CommandLine {
    commands: BTreeMap<String, BTreeSet<String>>,
    groups: BTreeMap<String, Group>,
    choices: BTreeMap<String, BTreeSet<String>>,
}

/// The fields of one struct of options.
#[derive(Debug, Default)]
struct Group {
    fields: Vec<Field>,
    flattened: BTreeSet<String>,
}

#[derive(Debug)]
struct Field {
    flag: Option<String>,
    variable: Option<String>,
    kind: String,
    takes_value: bool,
}

impl CommandLine {
    /// Reads the module that declares it, with clap's derive macros.
    #[must_use]
    pub fn of_source(source: &str) -> Self {
        let mut read = Self::default();
        let mut owner = String::new();
        let mut attributes = String::new();
        let mut lines = source.lines().map(str::trim);
        while let Some(line) = lines.next() {
            if line.starts_with("#[") {
                attributes.push_str(line);
                // An attribute may go over several lines.
                while attributes.matches('[').count() > attributes.matches(']').count() {
                    attributes.push_str(lines.next().unwrap_or("]"));
                }
                continue;
            }
            if let Some(name) = declared(line, "struct").or_else(|| declared(line, "enum")) {
                owner = name;
            } else if line == "}" {
                owner.clear();
            } else if !owner.is_empty() && !line.starts_with("//") && !line.is_empty() {
                read.member(&owner, line, &attributes);
            }
            if !line.starts_with("//") {
                attributes.clear();
            }
        }
        read
    }

    /// One field of a struct, or one variant of an enum.
    fn member(&mut self, owner: &str, line: &str, attributes: &str) {
        let line = line.trim_end_matches(',').trim_start_matches("pub ");
        let Some((name, kind)) = line.split_once(": ") else {
            return self.variant(owner, line);
        };
        let group = self.groups.entry(owner.to_owned()).or_default();
        if attributes.contains("flatten") {
            group.flattened.insert(kind.to_owned());
        } else if attributes.contains("#[arg(") {
            let says = |key: &str| {
                attributes.contains(&format!("({key}")) || attributes.contains(&format!(" {key}"))
            };
            let flag =
                says("long").then(|| quoted(attributes, "long").unwrap_or_else(|| name.replace('_', "-")));
            let kind = kind.trim_start_matches("Option<").trim_end_matches('>').to_owned();
            group.fields.push(Field {
                flag,
                variable: quoted(attributes, "env"),
                takes_value: kind != "bool",
                kind,
            });
        }
    }

    fn variant(&mut self, owner: &str, line: &str) {
        let (name, options) = line.split_once('(').unwrap_or((line, ""));
        if !name.chars().all(char::is_alphanumeric) {
            return;
        }
        let kebab = kebab(name);
        if owner == "Command" {
            let group = options.trim_end_matches(')').trim_start_matches("Box<").trim_end_matches('>');
            self.commands.entry(kebab).or_default().insert(group.to_owned());
        } else {
            self.choices.entry(owner.to_owned()).or_default().insert(kebab);
        }
    }

    fn fields_of(&self, command: &str) -> Vec<&Field> {
        let mut found = Vec::new();
        let mut open: Vec<&String> = self.commands.get(command).into_iter().flatten().collect();
        while let Some(name) = open.pop() {
            let Some(group) = self.groups.get(name) else { continue };
            found.extend(&group.fields);
            open.extend(&group.flattened);
        }
        found
    }

    /// The names of all commands.
    pub fn commands(&self) -> impl Iterator<Item = &str> {
        self.commands.keys().map(String::as_str)
    }

    /// All variables that some flag is also set by.
    #[must_use]
    pub fn variables(&self) -> BTreeSet<&str> {
        let fields = self.groups.values().flat_map(|group| &group.fields);
        fields.filter_map(|field| field.variable.as_deref()).collect()
    }

    /// What is wrong with these arguments of the binary: a command or flag that does not exist, a value too many or too
    /// few, or one that is no choice.
    #[must_use]
    pub fn faults(&self, arguments: &[String]) -> Vec<String> {
        let (command, rest) = match arguments.split_first() {
            Some((first, rest)) if !first.starts_with('-') => (first.as_str(), rest),
            _ => ("run", arguments),
        };
        if !self.commands.contains_key(command) {
            return vec![format!("there is no command {command}")];
        }
        let fields = self.fields_of(command);
        let mut found = Vec::new();
        let mut rest = rest.iter();
        while let Some(argument) = rest.next() {
            let Some(flag) = argument.strip_prefix("--") else {
                found.push(format!("{command} takes no {argument}"));
                continue;
            };
            let (flag, value) =
                flag.split_once('=').map_or((flag, None), |(flag, value)| (flag, Some(value)));
            let Some(field) = fields.iter().find(|field| field.flag.as_deref() == Some(flag)) else {
                found.push(format!("{command} has no flag --{flag}"));
                continue;
            };
            let value =
                if field.takes_value { value.or_else(|| rest.next().map(String::as_str)) } else { value };
            found.extend(match value {
                None if field.takes_value => Some(format!("--{flag} needs a value")),
                Some(_) if !field.takes_value => Some(format!("--{flag} takes no value")),
                Some(value) => self.value_fault(field, value),
                None => None,
            });
        }
        found
    }

    /// What is wrong with a variable and its value.
    #[must_use]
    pub fn variable_fault(&self, name: &str, value: &str) -> Option<String> {
        let mut fields = self.groups.values().flat_map(|group| &group.fields);
        match fields.find(|field| field.variable.as_deref() == Some(name)) {
            Some(field) => self.value_fault(field, value),
            None => Some(format!("no flag reads the variable {name}")),
        }
    }

    fn value_fault(&self, field: &Field, value: &str) -> Option<String> {
        let fits = match field.kind.as_str() {
            "usize" | "u64" => value.parse::<u64>().is_ok(),
            "i32" => value.parse::<i32>().is_ok(),
            "f64" => value.parse::<f64>().is_ok(),
            "SocketAddr" => value.parse::<std::net::SocketAddr>().is_ok(),
            kind => self.choices.get(kind).is_none_or(|choices| choices.contains(value)),
        };
        (!fits).then(|| format!("{value} is no {}", field.kind))
    }
}

/// The name that `pub struct Name {` declares.
fn declared(line: &str, keyword: &str) -> Option<String> {
    let rest = line.strip_prefix("pub ").unwrap_or(line).strip_prefix(keyword)?.strip_prefix(' ')?;
    rest.strip_suffix(" {").map(str::to_owned)
}

/// The text of `key = "text"`.
fn quoted(attributes: &str, key: &str) -> Option<String> {
    let (_, rest) = attributes.split_once(&format!("{key} = \""))?;
    rest.split_once('"').map(|(text, _)| text.to_owned())
}

/// `AtLeastOnce` → `at-least-once`.
fn kebab(name: &str) -> String {
    let mut text = String::new();
    for (index, letter) in name.char_indices() {
        if letter.is_uppercase() && index > 0 {
            text.push('-');
        }
        text.extend(letter.to_lowercase());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::CommandLine;

    const SOURCE: &str = r#"
        /// Commands.
        pub enum Command {
            /// Run.
            Run(Box<RunOptions>),
            Health(HealthOptions),
        }
        pub struct LogOptions {
            #[arg(long, env = "X_BROKERS", value_name = "HOST:PORT")]
            pub brokers: Option<String>,
            #[arg(
                long = "kafka-property",
                value_name = "KEY=VALUE"
            )]
            pub kafka_properties: Vec<String>,
        }
        pub enum GuaranteeOption {
            AtLeastOnce,
            ExactlyOnce,
        }
        pub struct RunOptions {
            #[command(flatten)]
            pub log: LogOptions,
            #[arg(long, env = "X_GUARANTEE", value_enum, default_value = "at-least-once")]
            pub guarantee: GuaranteeOption,
            #[arg(long)]
            pub no_source: bool,
        }
        pub struct HealthOptions {
            #[arg(long, env = "X_LISTEN")]
            pub listen: SocketAddr,
        }
    "#;

    fn faults(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        CommandLine::of_source(SOURCE).faults(&words)
    }

    #[test]
    fn declared_flags_are_taken_and_others_are_not() {
        assert!(
            faults("run --no-source --brokers k:9092 --kafka-property=a=b --guarantee exactly-once")
                .is_empty()
        );
        assert!(faults("--brokers=k:9092").is_empty());
        assert!(faults("health --listen 0.0.0.0:8080").is_empty());
        assert_eq!(faults("health --brokers x"), ["health has no flag --brokers", "health takes no x"]);
        assert_eq!(faults("walk"), ["there is no command walk"]);
        assert_eq!(faults("run --no-source=yes"), ["--no-source takes no value"]);
        assert_eq!(faults("run --brokers"), ["--brokers needs a value"]);
        assert_eq!(faults("run --guarantee perhaps"), ["perhaps is no GuaranteeOption"]);
    }

    #[test]
    fn variables_are_known_with_their_kinds() {
        let line = CommandLine::of_source(SOURCE);
        assert_eq!(
            line.variables().into_iter().collect::<Vec<_>>(),
            ["X_BROKERS", "X_GUARANTEE", "X_LISTEN"]
        );
        assert_eq!(line.variable_fault("X_LISTEN", "0.0.0.0:8080"), None);
        assert_eq!(line.variable_fault("X_LISTEN", "8080"), Some("8080 is no SocketAddr".into()));
        assert_eq!(line.variable_fault("X_LISTN", ""), Some("no flag reads the variable X_LISTN".into()));
    }
}
