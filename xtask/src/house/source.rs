//! Rust source as the rules read it: comments and literals blanked, so that braces match and words are code.
//! A lexer of a hundred lines instead of a parser crate, because `cargo xtask` must compile in seconds.
//! Must not know any rule.

/// A Rust file, and its code alone.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path relative to the workspace's root.
    pub path: String,
    /// The text as written.
    pub text: String,
    /// The same bytes with comments, strings and characters replaced by blanks; line ends stay.
    pub code: String,
}

/// A function with a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its `fn`, counted from 1.
    pub line: usize,
    /// Lines from `fn` to the closing brace.
    pub lines: usize,
}

impl Source {
    /// Reads `text`.
    #[must_use]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned(), code: blank(text) }
    }

    /// The code with every `#[cfg(test)]` item blanked.
    #[must_use]
    pub fn without_tests(&self) -> String {
        let mut code = self.code.clone().into_bytes();
        for (start, end) in self.test_items() {
            for byte in &mut code[start..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        String::from_utf8_lossy(&code).into_owned()
    }

    /// Lines outside of `#[cfg(test)]` items.
    #[must_use]
    pub fn lines_without_tests(&self) -> usize {
        let tests: usize =
            self.test_items().iter().map(|&(start, end)| self.code[start..end].lines().count()).sum();
        self.code.lines().count().saturating_sub(tests)
    }

    /// The line of a byte, counted from 1.
    #[must_use]
    pub fn line_of(&self, at: usize) -> usize {
        self.code.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count() + 1
    }

    fn test_items(&self) -> Vec<(usize, usize)> {
        let mut items: Vec<(usize, usize)> = Vec::new();
        for mark in ["#[cfg(test)]", "#[cfg(all(test,"] {
            for (start, _) in self.code.match_indices(mark) {
                items.push((start, self.item_end(start + 1)));
            }
        }
        items.sort_unstable();
        let mut last_end = 0;
        items.retain(|&(start, end)| {
            let outer = start >= last_end;
            last_end = last_end.max(end);
            outer
        });
        items
    }

    /// Where the item that starts at `from` ends: behind its body, or behind its `;`.
    fn item_end(&self, from: usize) -> usize {
        match body(&self.code, from) {
            Some((_, end)) => end,
            None => self.code[from..].find(';').map_or(self.code.len(), |at| from + at + 1),
        }
    }

    /// All functions that have a body.
    #[must_use]
    pub fn functions(&self) -> Vec<Function> {
        let mut found = Vec::new();
        for (start, word) in words(&self.code) {
            if word != "fn" {
                continue;
            }
            let rest = &self.code[start + 2..];
            let name: String = rest.trim_start().chars().take_while(|c| is_word(*c)).collect();
            if let (false, Some((_, end))) = (name.is_empty(), body(&self.code, start)) {
                let line = self.line_of(start);
                found.push(Function { name, line, lines: self.line_of(end - 1) - line + 1 });
            }
        }
        found
    }
}

/// The identifiers and keywords of `code`, each with the byte it starts at.
#[must_use]
pub fn words(code: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, c) in code.char_indices() {
        match (is_word(c), start) {
            (true, None) => start = Some(at),
            (false, Some(from)) => {
                found.push((from, &code[from..at]));
                start = None;
            }
            _ => {}
        }
    }
    if let Some(from) = start {
        found.push((from, &code[from..]));
    }
    found
}

pub(crate) fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// The first `{` from `from` on that stands outside of parentheses, and the end of what it opens;
/// `None` when a `;` comes first.
fn body(code: &str, from: usize) -> Option<(usize, usize)> {
    let mut nested = 0_i32;
    let mut open = None;
    let mut braces = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match (byte, open) {
            (b'(' | b'[', None) => nested += 1,
            (b')' | b']', None) => nested -= 1,
            (b';', None) if nested <= 0 => return None,
            (b'{', None) if nested <= 0 => (open, braces) = (Some(at), 1),
            (b'{', Some(_)) => braces += 1,
            (b'}', Some(start)) => {
                braces -= 1;
                if braces == 0 {
                    return Some((start, at + 1));
                }
            }
            _ => {}
        }
    }
    None
}

/// Replaces comments and the insides of literals by blanks.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => comment_end(bytes, at),
            b'"' => string_end(bytes, at + 1),
            b'r' | b'b' | b'c' if at == 0 || !is_word(char::from(bytes[at - 1])) => raw_end(bytes, at),
            b'\'' => char_end(text, at),
            _ => at + 1,
        };
        if end > at + 1 {
            for byte in &mut out[at..end] {
                if *byte != b'\n' {
                    *byte = b' ';
                }
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn line_end(bytes: &[u8], from: usize) -> usize {
    bytes[from..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |at| from + at)
}

fn comment_end(bytes: &[u8], from: usize) -> usize {
    let (mut at, mut depth) = (from, 0);
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

/// The end of a string whose first byte inside is at `from`.
fn string_end(bytes: &[u8], from: usize) -> usize {
    let mut at = from;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// The end of a raw string that starts at `from`, or `from + 1` when none starts there.
fn raw_end(bytes: &[u8], from: usize) -> usize {
    let mut at = if bytes[from] == b'r' { from } else { from + 1 };
    if bytes.get(at) != Some(&b'r') {
        return from + 1;
    }
    at += 1;
    let hashes = bytes[at..].iter().take_while(|&&byte| byte == b'#').count();
    at += hashes;
    if bytes.get(at) != Some(&b'"') {
        return from + 1;
    }
    let close = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
    at += 1;
    bytes[at..]
        .windows(close.len())
        .position(|window| window == close)
        .map_or(bytes.len(), |found| at + found + close.len())
}

/// The end of a character that starts at `from`; `from + 1` for a lifetime.
fn char_end(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    if bytes.get(from + 1) == Some(&b'\\') {
        let inside = from + 3;
        return bytes[inside.min(bytes.len())..]
            .iter()
            .position(|&byte| byte == b'\'')
            .map_or(bytes.len(), |at| inside + at + 1);
    }
    let Some(c) = text[from + 1..].chars().next() else { return from + 1 };
    let close = from + 1 + c.len_utf8();
    if bytes.get(close) == Some(&b'\'') { close + 1 } else { from + 1 }
}
