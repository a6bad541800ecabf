//! The paths that code names: `use` trees written out, and `a::b` in expressions and types. Must not know any rule.

use super::source::is_word;

/// A path that the code names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedPath {
    /// The line, counted from 1.
    pub line: usize,
    /// The segments; a glob ends in `*`.
    pub segments: Vec<String>,
    /// The name it is bound to by `use … as name`.
    pub alias: Option<String>,
}

/// A word, `::`, or another character that is not a blank.
struct Token<'a> {
    text: &'a str,
    line: usize,
}

/// All paths in `code`, whose comments and literals must be blanked.
#[must_use]
pub fn named_paths(code: &str) -> Vec<NamedPath> {
    let tokens = tokens(code);
    let mut found = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        // `use<'a>` in a type captures lifetimes and imports nothing.
        if tokens[at].text == "use" && text(&tokens, at + 1) != "<" {
            at = tree(&tokens, at + 1, &[], &mut found);
        } else if is_start(&tokens, at) {
            let line = tokens[at].line;
            let mut segments = vec![tokens[at].text.to_owned()];
            while text(&tokens, at + 1) == "::" && text(&tokens, at + 2).starts_with(is_word) {
                segments.push(tokens[at + 2].text.to_owned());
                at += 2;
            }
            found.push(NamedPath { line, segments, alias: None });
            at += 1;
        } else {
            at += 1;
        }
    }
    found
}

fn is_start(tokens: &[Token<'_>], at: usize) -> bool {
    tokens[at].text.starts_with(is_word) && text(tokens, at + 1) == "::"
}

fn text<'a>(tokens: &[Token<'a>], at: usize) -> &'a str {
    tokens.get(at).map_or("", |token| token.text)
}

/// Writes out the tree at `at`, below `prefix`; returns the place behind it.
fn tree(tokens: &[Token<'_>], mut at: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    let mut segments = prefix.to_vec();
    let line = tokens.get(at).map_or(0, |token| token.line);
    loop {
        match text(tokens, at) {
            "::" => at += 1,
            "{" => {
                at += 1;
                while !matches!(text(tokens, at), "}" | "") {
                    at = tree(tokens, at, &segments, found);
                    if text(tokens, at) == "," {
                        at += 1;
                    }
                }
                return at + 1;
            }
            "as" => {
                let alias = Some(text(tokens, at + 1).to_owned());
                found.push(NamedPath { line, segments, alias });
                return at + 2;
            }
            word if word == "*" || word.starts_with(is_word) => {
                segments.push(word.to_owned());
                at += 1;
            }
            "" | "," | "}" | ";" => {
                if segments.len() > prefix.len() {
                    found.push(NamedPath { line, segments, alias: None });
                }
                return at;
            }
            _ => at += 1, // `use<'a>` in a type, or the `#` of a raw name: nothing that names a path
        }
    }
}

fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    let mut line = 1;
    let mut rest = code;
    while let Some(c) = rest.chars().next() {
        let length = if is_word(c) {
            rest.find(|c| !is_word(c)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            c.len_utf8()
        };
        if c == '\n' {
            line += 1;
        }
        if !c.is_whitespace() {
            found.push(Token { text: &rest[..length], line });
        }
        rest = &rest[length..];
    }
    found
}
