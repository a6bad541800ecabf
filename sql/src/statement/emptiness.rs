//! Queries on tables of PostgreSQL's catalog that are always empty here: indexes, constraints, policies and the like. Their
//! answers are known from the query's text alone, which spares the engine what it cannot plan. Owns the list of such tables.

use datafusion::sql::sqlparser::ast::{
    CastKind, DataType, Expr, FunctionArguments, GroupByExpr, Ident, JoinOperator, Query, Select, SelectItem,
    SetExpr, TableFactor, TableWithJoins,
};

use super::text::{last, null, schema, truth, type_name};

/// Tables without rows.
const EMPTY: &[&str] = &[
    "pg_aggregate",
    "pg_amop",
    "pg_amproc",
    "pg_attrdef",
    "pg_auth_members",
    "pg_cast",
    "pg_collation",
    "pg_constraint",
    "pg_conversion",
    "pg_depend",
    "pg_description",
    "pg_enum",
    "pg_event_trigger",
    "pg_extension",
    "pg_foreign_data_wrapper",
    "pg_foreign_server",
    "pg_foreign_table",
    "pg_index",
    "pg_indexes",
    "pg_inherits",
    "pg_init_privs",
    "pg_language",
    "pg_largeobject",
    "pg_largeobject_metadata",
    "pg_locks",
    "pg_matviews",
    "pg_opclass",
    "pg_operator",
    "pg_opfamily",
    "pg_partitioned_table",
    "pg_policies",
    "pg_policy",
    "pg_prepared_statements",
    "pg_prepared_xacts",
    "pg_proc",
    "pg_publication",
    "pg_publication_namespace",
    "pg_publication_rel",
    "pg_publication_tables",
    "pg_range",
    "pg_replication_slots",
    "pg_rewrite",
    "pg_rules",
    "pg_seclabel",
    "pg_seclabels",
    "pg_sequence",
    "pg_sequences",
    "pg_shdescription",
    "pg_stat_activity",
    "pg_stat_user_tables",
    "pg_statistic",
    "pg_statistic_ext",
    "pg_stats",
    "pg_subscription",
    "pg_tablespace",
    "pg_transform",
    "pg_trigger",
    "pg_ts_config",
    "pg_ts_dict",
    "pg_ts_parser",
    "pg_ts_template",
    "pg_user_mapping",
    "pg_user_mappings",
    "pg_views",
];

/// The same of the information schema.
const EMPTY_INFORMATION: &[&str] = &[
    "check_constraints",
    "column_privileges",
    "constraint_column_usage",
    "constraint_table_usage",
    "domains",
    "element_types",
    "foreign_tables",
    "key_column_usage",
    "parameters",
    "referential_constraints",
    "role_table_grants",
    "routines",
    "sequences",
    "table_constraints",
    "table_privileges",
    "triggers",
    "user_defined_types",
    "view_column_usage",
    "view_table_usage",
    "views",
];

/// Functions that make one row of none.
const AGGREGATES: &[&str] = &[
    "array_agg",
    "avg",
    "bool_and",
    "bool_or",
    "count",
    "json_agg",
    "jsonb_agg",
    "max",
    "min",
    "string_agg",
    "sum",
];

/// Whether a query has no rows, whatever the tables hold.
pub(super) fn is_empty(query: &Query) -> bool {
    query.with.is_none() && has_no_rows(&query.body)
}

fn has_no_rows(body: &SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => is_empty_select(select),
        SetExpr::Query(query) => is_empty(query),
        SetExpr::SetOperation { left, right, .. } => has_no_rows(left) && has_no_rows(right),
        _ => false,
    }
}

fn is_empty_select(select: &Select) -> bool {
    let groups = match &select.group_by {
        GroupByExpr::Expressions(expressions, _) => !expressions.is_empty(),
        GroupByExpr::All(_) => true,
    };
    select.from.iter().any(joins_are_empty) && (groups || !select.projection.iter().any(aggregates))
}

fn joins_are_empty(table: &TableWithJoins) -> bool {
    let mut empty = is_empty_factor(&table.relation);
    for join in &table.joins {
        let joined = is_empty_factor(&join.relation);
        empty = match &join.join_operator {
            JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_) => empty || joined,
            JoinOperator::Left(_) | JoinOperator::LeftOuter(_) => empty,
            JoinOperator::Right(_) | JoinOperator::RightOuter(_) => joined,
            JoinOperator::FullOuter(_) => empty && joined,
            _ => return false,
        };
    }
    empty
}

fn is_empty_factor(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { name, args: None, .. } => {
            let Some(table) = last(name) else { return false };
            match schema(name).as_deref() {
                None | Some("pg_catalog") => EMPTY.contains(&table.as_str()),
                Some("information_schema") => EMPTY_INFORMATION.contains(&table.as_str()),
                Some(_) => false,
            }
        }
        TableFactor::Derived { subquery, .. } => is_empty(subquery),
        TableFactor::NestedJoin { table_with_joins, .. } => joins_are_empty(table_with_joins),
        _ => false,
    }
}

fn aggregates(item: &SelectItem) -> bool {
    let (SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) = item else { return false };
    has_aggregate(expr)
}

/// Whether an expression makes one row of many.
pub(super) fn has_aggregate(expr: &Expr) -> bool {
    match expr {
        Expr::Function(function) => {
            function.over.is_none()
                && last(&function.name).is_some_and(|name| AGGREGATES.contains(&name.as_str()))
        }
        Expr::Nested(inner) | Expr::Cast { expr: inner, .. } | Expr::UnaryOp { expr: inner, .. } => {
            has_aggregate(inner)
        }
        Expr::BinaryOp { left, right, .. } => has_aggregate(left) || has_aggregate(right),
        _ => false,
    }
}

/// The same query without its tables: the columns that it names, as text, and no rows. `false` where it asks for all
/// columns, which its tables alone know.
pub(super) fn without_tables(query: &mut Query) -> bool {
    if !emptied(&mut query.body) {
        return false;
    }
    query.order_by = None;
    query.limit_clause = None;
    query.fetch = None;
    true
}

fn emptied(body: &mut SetExpr) -> bool {
    match body {
        SetExpr::Select(select) => {
            let Some(names) = select.projection.iter().map(column_name).collect::<Option<Vec<Ident>>>()
            else {
                return false;
            };
            let text = || Expr::Cast {
                kind: CastKind::Cast,
                expr: Box::new(null()),
                data_type: DataType::Text,
                array: false,
                format: None,
            };
            let mut taken: Vec<String> = Vec::new();
            let column = |mut alias: Ident| {
                if taken.contains(&alias.value) {
                    alias = Ident::with_quote('"', format!("{} {}", alias.value, taken.len() + 1));
                }
                taken.push(alias.value.clone());
                SelectItem::ExprWithAlias { expr: text(), alias }
            };
            select.projection = names.into_iter().map(column).collect();
            select.from.clear();
            select.selection = Some(truth(false));
            select.group_by = GroupByExpr::Expressions(Vec::new(), Vec::new());
            select.having = None;
            select.distinct = None;
            true
        }
        SetExpr::Query(query) => without_tables(query),
        SetExpr::SetOperation { left, right, .. } => emptied(left) && emptied(right),
        _ => false,
    }
}

/// What PostgreSQL calls a column.
fn column_name(item: &SelectItem) -> Option<Ident> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.clone()),
        SelectItem::UnnamedExpr(expr) => Some(expression_name(expr)),
        _ => None,
    }
}

/// What PostgreSQL calls a column that nobody has named.
pub(super) fn expression_name(expr: &Expr) -> Ident {
    let quoted = |name: &str| Ident::with_quote('"', name);
    match expr {
        Expr::Identifier(ident) => ident.clone(),
        Expr::CompoundIdentifier(parts) => parts.last().cloned().unwrap_or_else(|| quoted("?column?")),
        Expr::Function(function) => quoted(&last(&function.name).unwrap_or_default()),
        Expr::Nested(expr) | Expr::Collate { expr, .. } => expression_name(expr),
        Expr::CompoundFieldAccess { root, .. } => expression_name(root),
        Expr::Cast { expr, data_type, .. } => match &**expr {
            Expr::Value(_) => quoted(&type_name(data_type)),
            expr => expression_name(expr),
        },
        Expr::Case { .. } => quoted("case"),
        Expr::Exists { .. } => quoted("exists"),
        Expr::Extract { .. } => quoted("extract"),
        Expr::Array(_) => quoted("array"),
        _ => quoted("?column?"),
    }
}

/// Whether the query is the one argument of a function, as in `ARRAY(SELECT …)`.
pub(super) fn is_argument(arguments: &FunctionArguments) -> bool {
    matches!(arguments, FunctionArguments::Subquery(query) if is_empty(query))
}

#[cfg(test)]
mod tests {
    use datafusion::sql::sqlparser::ast::Statement;
    use datafusion::sql::sqlparser::dialect::PostgreSqlDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn query(sql: &str) -> Query {
        match Parser::parse_sql(&PostgreSqlDialect {}, sql).expect(sql).remove(0) {
            Statement::Query(query) => *query,
            other => panic!("{other}"),
        }
    }

    #[test]
    fn a_query_is_empty_when_no_row_can_come_through_its_joins() {
        for (sql, expected) in [
            ("SELECT 1 FROM pg_catalog.pg_index i", true),
            ("SELECT 1 FROM pg_class c, pg_inherits i WHERE true", true),
            ("SELECT 1 FROM pg_class c JOIN pg_index i ON true", true),
            ("SELECT 1 FROM pg_class c LEFT JOIN pg_index i ON true", false),
            ("SELECT 1 FROM pg_index i LEFT JOIN pg_class c ON true", true),
            ("SELECT 1 FROM (SELECT 2 FROM pg_trigger) t", true),
            ("SELECT 1 FROM pg_publication UNION SELECT 2 FROM pg_policy", true),
            ("SELECT 1 FROM pg_publication UNION SELECT 2", false),
            ("SELECT count(*) FROM pg_index", false),
            ("SELECT count(*) FROM pg_index GROUP BY indrelid", true),
            ("SELECT 1 FROM information_schema.table_constraints", true),
            ("SELECT 1 FROM public.pg_index", false),
            ("SELECT 1 FROM views", false),
        ] {
            assert_eq!(is_empty(&query(sql)), expected, "{sql}");
        }
    }

    #[test]
    fn an_empty_query_keeps_its_columns() {
        let mut asked =
            query("SELECT a.x, y AS z, count(y) OVER (), 'q' FROM pg_index a ORDER BY foo LIMIT 3");
        assert!(without_tables(&mut asked));
        let columns = r#"CAST(NULL AS TEXT) AS x, CAST(NULL AS TEXT) AS z, CAST(NULL AS TEXT) AS "count", CAST(NULL AS TEXT) AS "?column?""#;
        assert_eq!(asked.to_string(), format!("SELECT {columns} WHERE false"));
        assert!(!without_tables(&mut query("SELECT * FROM pg_index")));
    }
}
