//! PostgreSQL's ways of saying things, put into words that the query engine knows: catalog functions and types, regular
//! expressions as operators, the user and the settings. Owns these rules; must not know what tables hold.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    BinaryOperator, CastKind, DataType, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList,
    FunctionArguments, Ident, ObjectName, ObjectNamePart, Query, SelectItem, SetExpr, Statement, VisitMut,
    VisitorMut,
};

use super::emptiness::{expression_name, is_argument, is_empty, without_tables};
use super::lookup::{gathered, proven};
use super::session::{DATABASE, SERVER_VERSION, Session};
use super::text::{first_argument, last, literal, null, number, quoted, truth, type_name};

/// A table's number by its name, for `'name'::regclass`.
pub(crate) type OidOf<'a> = &'a dyn Fn(&str) -> Option<i32>;

/// Rewrites a query; what its columns are called comes back, where it names them one by one.
pub(crate) fn rewrite(
    statement: &mut Statement,
    session: &Session,
    oid_of: OidOf<'_>,
) -> Option<Vec<String>> {
    let names = match statement {
        Statement::Query(query) => name_columns(&mut query.body),
        _ => None,
    };
    let _ = statement.visit(&mut Rewriter { session, oid_of });
    names
}

/// What PostgreSQL calls the columns. The engine wants names that differ, so that those that were met before get others.
fn name_columns(body: &mut SetExpr) -> Option<Vec<String>> {
    match body {
        SetExpr::Select(select) => {
            let mut names: Vec<String> = Vec::new();
            for item in &mut select.projection {
                let (expr, alias) = match item {
                    SelectItem::UnnamedExpr(expr) => (&*expr, expression_name(expr)),
                    SelectItem::ExprWithAlias { expr, alias } => (&*expr, alias.clone()),
                    _ => return None,
                };
                let is_known = names.contains(&alias.value);
                let unique = match is_known {
                    true => Ident::with_quote('"', format!("{} {}", alias.value, names.len() + 1)),
                    false => alias.clone(),
                };
                names.push(match alias.quote_style {
                    Some(_) => alias.value,
                    None => alias.value.to_lowercase(),
                });
                if is_known || !matches!(expr, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) {
                    *item = SelectItem::ExprWithAlias { expr: expr.clone(), alias: unique };
                }
            }
            Some(names)
        }
        SetExpr::Query(query) => name_columns(&mut query.body),
        SetExpr::SetOperation { left, .. } => name_columns(left),
        _ => None,
    }
}

struct Rewriter<'a> {
    session: &'a Session,
    oid_of: OidOf<'a>,
}

impl VisitorMut for Rewriter<'_> {
    type Break = ();

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if is_empty(query) {
            without_tables(query);
        }
        query.locks.clear();
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(simple) = self.subquery(expr) {
            *expr = simple;
        } else if let Expr::Subquery(query) = expr {
            proven(query);
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let rewritten = match expr {
            Expr::Function(function) => self.function(function),
            Expr::Cast { .. } => self.cast(expr),
            Expr::Identifier(ident) => self.word(ident),
            Expr::Collate { expr: inner, .. } => Some(std::mem::replace(&mut **inner, null())),
            Expr::BinaryOp { op, .. } => {
                operator(op);
                None
            }
            _ => None,
        };
        if let Some(rewritten) = rewritten {
            *expr = rewritten;
        }
        ControlFlow::Continue(())
    }
}

impl Rewriter<'_> {
    /// Subqueries whose answer is known.
    fn subquery(&self, expr: &Expr) -> Option<Expr> {
        match expr {
            Expr::Subquery(query) if is_empty(query) => Some(null()),
            Expr::Exists { subquery, negated } if is_empty(subquery) => Some(truth(*negated)),
            Expr::InSubquery { subquery, negated, .. } if is_empty(subquery) => Some(truth(*negated)),
            // Grafana asks so for the schemas that need not be named.
            Expr::InSubquery { expr, subquery, negated }
                if subquery.to_string().contains("'search_path'") =>
            {
                let list = vec![quoted("public")];
                Some(Expr::InList { expr: expr.clone(), list, negated: *negated })
            }
            Expr::Function(function) if is_argument(&function.args) => Some(null()),
            Expr::Function(function) if last(&function.name).is_some_and(|name| name == "array") => {
                gathered(&function.args)
            }
            _ => None,
        }
    }

    fn function(&self, function: &mut Function) -> Option<Expr> {
        let name = last(&function.name)?;
        // Functions of the catalog are known by their own names.
        if function.name.0.len() > 1 {
            function.name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name.clone()))]);
        }
        match name.as_str() {
            "current_database" | "current_catalog" => Some(quoted(DATABASE)),
            "current_schema" => Some(quoted("public")),
            "current_user" | "session_user" | "user" | "current_role" => Some(quoted(self.session.user())),
            "version" => Some(quoted(&server())),
            "current_setting" => {
                let value = self.session.get(&literal(first_argument(function)?)?);
                Some(value.map_or_else(null, |value| quoted(&value)))
            }
            _ => None,
        }
    }

    /// Words that are functions without parentheses.
    fn word(&self, ident: &Ident) -> Option<Expr> {
        if ident.quote_style.is_some() {
            return None;
        }
        match ident.value.to_ascii_lowercase().as_str() {
            "current_user" | "session_user" | "user" | "current_role" => Some(quoted(self.session.user())),
            "current_catalog" => Some(quoted(DATABASE)),
            "current_schema" => Some(quoted("public")),
            _ => None,
        }
    }

    fn cast(&self, cast: &Expr) -> Option<Expr> {
        let Expr::Cast { expr, data_type, .. } = cast else { return None };
        let inner = || (**expr).clone();
        match type_name(data_type).as_str() {
            "regclass" => match literal(expr) {
                Some(name) => Some(name.parse().map_or_else(
                    |_| {
                        let plain = name.rsplit('.').next().unwrap_or(&name).trim_matches('"').to_owned();
                        (self.oid_of)(&plain).map_or_else(null, |oid| number(i64::from(oid)))
                    },
                    number,
                )),
                None => Some(call("regclass_name", inner())),
            },
            "regtype" => Some(call("regtype_name", inner())),
            "regproc" | "regprocedure" | "regnamespace" | "regrole" | "name" | "char" | "\"char\""
            | "json" | "jsonb" | "xid" | "inet" | "citext" | "uuid" | "cstring" | "unknown" => {
                Some(cast_to(inner(), DataType::Text))
            }
            "text" => Some(cast_to(inner(), DataType::Text)),
            "oid" => Some(cast_to(inner(), DataType::BigInt(None))),
            _ => None,
        }
    }
}

fn operator(op: &mut BinaryOperator) {
    if let BinaryOperator::PGCustomBinaryOperator(parts) = op {
        let known = match parts.last().map(String::as_str) {
            Some("~") => BinaryOperator::PGRegexMatch,
            Some("~*") => BinaryOperator::PGRegexIMatch,
            Some("!~") => BinaryOperator::PGRegexNotMatch,
            Some("!~*") => BinaryOperator::PGRegexNotIMatch,
            Some("~~") => BinaryOperator::PGLikeMatch,
            Some("=") => BinaryOperator::Eq,
            Some("<>") => BinaryOperator::NotEq,
            _ => return,
        };
        *op = known;
    }
}

fn cast_to(expr: Expr, data_type: DataType) -> Expr {
    Expr::Cast { kind: CastKind::Cast, expr: Box::new(expr), data_type, array: false, format: None }
}

/// A function of one argument.
pub(super) fn call(name: &str, argument: Expr) -> Expr {
    Expr::Function(Function {
        name: ObjectName(vec![ObjectNamePart::Identifier(Ident::new(name))]),
        uses_odbc_syntax: false,
        parameters: FunctionArguments::None,
        args: FunctionArguments::List(FunctionArgumentList {
            duplicate_treatment: None,
            args: vec![FunctionArg::Unnamed(FunctionArgExpr::Expr(argument))],
            clauses: Vec::new(),
        }),
        filter: None,
        null_treatment: None,
        over: None,
        within_group: Vec::new(),
    })
}

/// What `version()` says.
fn server() -> String {
    format!("PostgreSQL {SERVER_VERSION} (candlewick {})", env!("CARGO_PKG_VERSION"))
}
