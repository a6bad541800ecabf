//! Subqueries that look one value up in the catalog, for each row of the query around them. The engine wants proof that they
//! have one row at most; a catalog's numbers are that proof, and a greatest value of one is the value itself.

use datafusion::sql::sqlparser::ast::{
    Expr, FunctionArg, FunctionArgExpr, FunctionArguments, GroupByExpr, Query, SelectItem, SetExpr,
    TableFactor, TableWithJoins,
};

use super::emptiness::has_aggregate;
use super::rewrite::call;
use super::text::{last, null, schema};

/// `ARRAY(SELECT …)` as the engine knows it: the values of a query, gathered. Options of tables are nothing whatever is put
/// before each of them.
pub(super) fn gathered(arguments: &FunctionArguments) -> Option<Expr> {
    let FunctionArguments::Subquery(query) = arguments else { return None };
    let mut query = query.clone();
    let SetExpr::Select(select) = query.body.as_mut() else { return None };
    if let [TableWithJoins { relation: TableFactor::UNNEST { array_exprs, .. }, .. }] = select.from.as_slice()
        && let [options] = array_exprs.as_slice()
    {
        return Some(options.clone());
    }
    if let [TableWithJoins { relation: TableFactor::Table { name, args: Some(list), .. }, .. }] =
        select.from.as_slice()
        && last(name).is_some_and(|name| name == "unnest")
        && let [FunctionArg::Unnamed(FunctionArgExpr::Expr(options))] = list.args.as_slice()
    {
        return Some(options.clone());
    }
    query.order_by = None;
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return None;
    };
    *value = call("array_agg", std::mem::replace(value, null()));
    Some(Expr::Subquery(query))
}

/// Makes a look-up one that the engine can plan.
pub(super) fn proven(query: &mut Query) {
    let SetExpr::Select(select) = query.body.as_mut() else { return };
    let is_grouped = !matches!(&select.group_by, GroupByExpr::Expressions(by, _) if by.is_empty());
    if is_grouped
        || select.selection.is_none()
        || select.from.is_empty()
        || !select.from.iter().all(is_catalog)
    {
        return;
    }
    let [SelectItem::UnnamedExpr(value) | SelectItem::ExprWithAlias { expr: value, .. }] =
        select.projection.as_mut_slice()
    else {
        return;
    };
    if !has_aggregate(value) {
        *value = call("max", std::mem::replace(value, null()));
    }
}

fn is_catalog(table: &TableWithJoins) -> bool {
    let is_one = |factor: &TableFactor| match factor {
        TableFactor::Table { name, args: None, .. } => {
            let is_there = matches!(schema(name).as_deref(), None | Some("pg_catalog"));
            is_there && last(name).is_some_and(|name| name.starts_with("pg_"))
        }
        _ => false,
    };
    is_one(&table.relation) && table.joins.iter().all(|join| is_one(&join.relation))
}
