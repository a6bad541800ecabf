//! What a statement asks for: a query, a setting, a transaction's beginning or end, or something that is refused. Owns
//! which statements there are; must not know how any of them is carried out.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    CloseCursor, DescribeAlias, ObjectName, Query, Reset, Set, SetExpr, Statement, Visit, Visitor,
};
use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
use datafusion::sql::sqlparser::keywords::Keyword;
use datafusion::sql::sqlparser::parser::Parser;
use datafusion::sql::sqlparser::tokenizer::{Token, Tokenizer};

use super::text::literal;
use crate::error::Refusal;

/// Parentheses and subqueries inside of each other, at most.
const DEPTH_MAX: usize = 50;
/// Operators and keywords of one text, at most: a chain of them becomes a tree as deep as it is long, and every walk over it
/// takes the stack of the thread that also serves others.
const OPERATORS_MAX: usize = 2_000;
/// Tables of one query, at most, each as often as it stands there.
const RELATIONS_MAX: usize = 100;

/// What a statement asks for.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Rows.
    Query(Box<Statement>),
    /// A setting's new value.
    Set(String, String),
    /// All settings as they were in the beginning.
    Reset,
    /// A setting's value.
    Show(String),
    /// A transaction begins. It changes nothing: each statement reads what is committed.
    Begin,
    /// A transaction ends, well or not.
    End(&'static str),
    /// Something that has no effect here; with the word that answers it.
    Nothing(&'static str),
}

/// The commands of a text.
///
/// # Errors
/// When it is too long, is no SQL, or would change something.
pub(crate) fn commands(sql: &str, bytes_max: usize) -> Result<Vec<Command>, Refusal> {
    if sql.len() > bytes_max {
        return Err(Refusal::TooLong { length: sql.len(), max: bytes_max });
    }
    match parsed(sql) {
        Ok(statements) => statements.into_iter().map(command).collect(),
        // Statements that would change something need not be understood to be refused.
        Err(syntax) => Err(changing_word(sql).map_or(syntax, |statement| Refusal::ReadOnly { statement })),
    }
}

fn parsed(sql: &str) -> Result<Vec<Statement>, Refusal> {
    let dialect = PostgreSqlDialect {};
    let tokens = Tokenizer::new(&dialect, sql).tokenize_with_location();
    let tokens = tokens.map_err(|error| Refusal::Syntax(error.to_string()))?;
    let operators = tokens.iter().filter(|token| makes_deeper(&token.token)).count();
    if operators > OPERATORS_MAX {
        let sentence = format!(
            "the text has {operators} operators and keywords, and {OPERATORS_MAX} are allowed: use lists and joins instead"
        );
        return Err(Refusal::Syntax(sentence));
    }
    let mut parser = Parser::new(&dialect).with_recursion_limit(DEPTH_MAX).with_tokens_with_locations(tokens);
    parser.parse_statements().map_err(|error| {
        let said = error.to_string();
        Refusal::Syntax(said.strip_prefix("sql parser error: ").unwrap_or(&said).to_owned())
    })
}

/// Whether a token may stand for a level of a tree.
fn makes_deeper(token: &Token) -> bool {
    match token {
        Token::Word(word) => word.keyword != Keyword::NoKeyword,
        Token::Number(..)
        | Token::SingleQuotedString(_)
        | Token::EscapedStringLiteral(_)
        | Token::Placeholder(_)
        | Token::Comma
        | Token::Period
        | Token::LParen
        | Token::RParen
        | Token::Whitespace(_)
        | Token::SemiColon
        | Token::EOF => false,
        _ => true,
    }
}

/// The first word of a text, where it is one of those that change something.
fn changing_word(sql: &str) -> Option<String> {
    const CHANGING: [&str; 16] = [
        "ALTER", "ANALYZE", "CALL", "CLUSTER", "COMMENT", "COPY", "CREATE", "DELETE", "DROP", "GRANT",
        "INSERT", "MERGE", "REFRESH", "TRUNCATE", "UPDATE", "VACUUM",
    ];
    let word =
        sql.split(|c: char| !c.is_ascii_alphabetic()).find(|word| !word.is_empty())?.to_ascii_uppercase();
    CHANGING.contains(&word.as_str()).then_some(word)
}

fn command(statement: Statement) -> Result<Command, Refusal> {
    Ok(match statement {
        Statement::Query(query) if reads_only(&query) => Command::Query(Box::new(Statement::Query(query))),
        Statement::Explain { statement: inner, analyze, verbose, .. } => match *inner {
            Statement::Query(query) if reads_only(&query) => Command::Query(Box::new(Statement::Explain {
                describe_alias: DescribeAlias::Explain,
                analyze,
                verbose,
                query_plan: false,
                estimate: false,
                statement: Box::new(Statement::Query(query)),
                format: None,
                options: None,
            })),
            other => return Err(refused(&other)),
        },
        Statement::Set(set) => setting(set),
        Statement::Reset(reset) => match reset.reset {
            Reset::ALL => Command::Reset,
            Reset::ConfigurationParameter(_) => Command::Nothing("RESET"),
        },
        Statement::ShowVariable { variable } => {
            let words: Vec<String> = variable.iter().map(|word| word.value.to_ascii_lowercase()).collect();
            Command::Show(match words.join(" ").as_str() {
                "transaction isolation level" => "transaction_isolation".to_owned(),
                "time zone" => "timezone".to_owned(),
                name => name.replace(' ', "."),
            })
        }
        Statement::StartTransaction { .. } => Command::Begin,
        Statement::Commit { .. } => Command::End("COMMIT"),
        Statement::Rollback { savepoint: None, .. } => Command::End("ROLLBACK"),
        Statement::Rollback { savepoint: Some(_), .. } => Command::Nothing("ROLLBACK"),
        Statement::Savepoint { .. } => Command::Nothing("SAVEPOINT"),
        Statement::ReleaseSavepoint { .. } => Command::Nothing("RELEASE"),
        Statement::Discard { .. } => Command::Nothing("DISCARD ALL"),
        Statement::Deallocate { .. } => Command::Nothing("DEALLOCATE"),
        Statement::LISTEN { .. } => Command::Nothing("LISTEN"),
        Statement::UNLISTEN { .. } => Command::Nothing("UNLISTEN"),
        Statement::Close { cursor: CloseCursor::All | CloseCursor::Specific { .. } } => {
            Command::Nothing("CLOSE CURSOR")
        }
        other => return Err(refused(&other)),
    })
}

fn setting(set: Set) -> Command {
    let name = |name: &ObjectName| name.to_string().replace('"', "");
    match set {
        Set::SingleAssignment { variable, values, .. } => {
            let values = values.iter().map(|value| literal(value).unwrap_or_else(|| value.to_string()));
            Command::Set(name(&variable), values.collect::<Vec<_>>().join(", "))
        }
        Set::SetTimeZone { value, .. } => {
            Command::Set("timezone".to_owned(), literal(&value).unwrap_or_else(|| value.to_string()))
        }
        Set::SetNames { charset_name, .. } => Command::Set("client_encoding".to_owned(), charset_name.value),
        _ => Command::Nothing("SET"),
    }
}

/// A query may hide a change behind WITH or INTO. One with very many tables is refused with it.
fn reads_only(query: &Query) -> bool {
    struct Changes {
        relations: usize,
    }
    impl Visitor for Changes {
        type Break = ();

        fn pre_visit_relation(&mut self, _relation: &ObjectName) -> ControlFlow<()> {
            self.relations += 1;
            if self.relations > RELATIONS_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }

        fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
            fn changes(body: &SetExpr) -> bool {
                match body {
                    SetExpr::Select(select) => select.into.is_some(),
                    SetExpr::SetOperation { left, right, .. } => changes(left) || changes(right),
                    SetExpr::Query(_) | SetExpr::Values(_) | SetExpr::Table(_) => false,
                    _ => true,
                }
            }
            if changes(&query.body) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    query.visit(&mut Changes { relations: 0 }).is_continue()
}

fn refused(statement: &Statement) -> Refusal {
    let text = statement.to_string();
    let words: Vec<&str> = text.split_whitespace().take(2).collect();
    let statement = match words.as_slice() {
        [first @ ("CREATE" | "ALTER" | "DROP"), second] => format!("{first} {second}"),
        [first, ..] => (*first).to_owned(),
        [] => "An empty statement".to_owned(),
    };
    Refusal::ReadOnly { statement }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(sql: &str) -> Result<Command, Refusal> {
        let mut commands = commands(sql, 10_000)?;
        assert_eq!(commands.len(), 1, "{sql}");
        Ok(commands.remove(0))
    }

    #[test]
    fn whatever_would_change_something_is_refused_with_its_name() {
        for (sql, name) in [
            ("INSERT INTO counts VALUES ('a', 1)", "INSERT"),
            ("update counts set value = 1", "UPDATE"),
            ("DELETE FROM counts", "DELETE"),
            ("CREATE TABLE t (a int)", "CREATE TABLE"),
            ("create view v as select 1", "CREATE VIEW"),
            ("DROP TABLE counts", "DROP TABLE"),
            ("TRUNCATE counts", "TRUNCATE"),
            ("COPY counts TO STDOUT", "COPY"),
            ("ALTER TABLE counts ADD COLUMN x int", "ALTER TABLE"),
            ("EXPLAIN INSERT INTO counts VALUES ('a', 1)", "INSERT"),
            ("VACUUM FULL", "VACUUM"),
        ] {
            match one(sql) {
                Err(Refusal::ReadOnly { statement }) => assert_eq!(statement, name, "{sql}"),
                other => panic!("{sql}: {other:?}"),
            }
        }
        for hidden in ["SELECT 1 INTO t", "WITH t AS (INSERT INTO a VALUES (1) RETURNING *) SELECT * FROM t"]
        {
            assert!(one(hidden).is_err(), "{hidden}");
        }
    }

    #[test]
    fn what_clients_say_beside_queries_is_understood() {
        let shown = |sql: &str| format!("{:?}", one(sql).expect(sql));
        assert_eq!(shown("SET extra_float_digits = 3"), r#"Set("extra_float_digits", "3")"#);
        assert_eq!(shown("SET search_path TO a, b"), r#"Set("search_path", "a, b")"#);
        assert_eq!(shown("SET TIME ZONE 'UTC'"), r#"Set("timezone", "UTC")"#);
        assert_eq!(shown("show transaction isolation level"), r#"Show("transaction_isolation")"#);
        assert_eq!(shown("BEGIN READ ONLY"), "Begin");
        assert_eq!(shown("COMMIT"), r#"End("COMMIT")"#);
        assert_eq!(shown("DISCARD ALL"), r#"Nothing("DISCARD ALL")"#);
        assert!(matches!(
            one("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"),
            Ok(Command::Nothing(_))
        ));
        assert!(matches!(one("EXPLAIN SELECT 1"), Ok(Command::Query(_))));
        assert_eq!(commands("BEGIN; SELECT 1; ;COMMIT;", 100).expect("three").len(), 3);
    }

    #[test]
    fn long_deep_and_broken_texts_are_refused() {
        let long = format!("SELECT '{}'", "x".repeat(1_000));
        assert!(matches!(commands(&long, 1_000), Err(Refusal::TooLong { .. })));
        let deep = format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000));
        assert!(matches!(commands(&deep, 100_000), Err(Refusal::Syntax(_))));
        let chain = format!("SELECT 1{}", "+1".repeat(10_000));
        assert!(matches!(commands(&chain, 100_000), Err(Refusal::Syntax(_))));
        assert!(matches!(commands("SELEC 1", 100), Err(Refusal::Syntax(_))));
    }
}
