//! Statements of a connection, with parameters and without: from their text to their rows. Owns what is answered to each
//! command; must not know how the engine plans and runs.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::DataType;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::logical_expr::LogicalPlan;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures_util::{Sink, StreamExt, stream};
use pgwire::api::portal::{Format, Portal};
use pgwire::api::query::{ExtendedQueryHandler, SimpleQueryHandler};
use pgwire::api::results::{
    DataRowEncoder, DescribePortalResponse, FieldFormat, FieldInfo, QueryResponse, Response, Tag,
};
use pgwire::api::stmt::QueryParser;
use pgwire::api::store::PortalStore;
use pgwire::api::{ClientInfo, ClientPortalStore, METADATA_USER, Type as PgType};
use pgwire::error::{PgWireError, PgWireResult};
use pgwire::messages::PgWireBackendMessage;
use tokio::time::{Instant, timeout_at};

use super::fault::{error, failed, refused};
use super::parameters::{announced, value};
use super::rows::{Bounds, fields, messages};
use crate::engine::{Engine, Planned};
use crate::error::Refusal;
use crate::statement::{Command, Session, commands};

/// Answers the statements of connections.
pub(super) struct Handler {
    engine: Arc<Engine>,
}

/// A statement that was understood.
#[derive(Clone, Debug)]
pub(super) enum Prepared {
    /// A query, planned.
    Query(Arc<Planned>),
    /// Anything else.
    Other(Command),
}

impl Handler {
    pub(super) fn new(engine: Arc<Engine>) -> Self {
        Self { engine }
    }

    /// What one statement may cost from now on. A client may want less time than it has.
    fn bounds(&self, session: &Session) -> Bounds {
        let options = &self.engine.options;
        let wanted = session.statement_timeout().unwrap_or(options.statement_timeout);
        let timeout = wanted.min(options.statement_timeout);
        Bounds { deadline: Instant::now() + timeout, timeout, bytes_max: options.result_bytes_max }
    }

    async fn prepare(&self, command: Command, session: &Session, bounds: Bounds) -> PgWireResult<Prepared> {
        let Command::Query(statement) = command else { return Ok(Prepared::Other(command)) };
        let planned = in_time(bounds, self.engine.plan(*statement, session)).await?;
        Ok(Prepared::Query(Arc::new(planned.map_err(|error| failed(&error))?)))
    }

    /// The rows of a plan. The first of them are there when this returns: what fails, fails before anything was told.
    async fn rows(
        &self,
        plan: LogicalPlan,
        names: Option<&[String]>,
        format: &Format,
        bounds: Bounds,
    ) -> PgWireResult<Response> {
        let rows = in_time(bounds, self.engine.run(plan)).await?;
        let mut rows = rows.map_err(|error| failed(&error))?;
        let schema = rows.schema();
        let first = in_time(bounds, rows.next()).await?.transpose().map_err(|error| failed(&error))?;
        let all = stream::iter(first.map(Ok)).chain(rows);
        let all: SendableRecordBatchStream =
            Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&schema), all));
        let fields = Arc::new(fields(&schema, names, format));
        Ok(Response::Query(QueryResponse::new(Arc::clone(&fields), messages(all, fields, bounds))))
    }

    fn other(&self, command: Command, session: &Session) -> PgWireResult<Response> {
        Ok(match command {
            Command::Set(name, value) => {
                session.set_to(&name, &value).map_err(|refusal| refused(&refusal))?;
                Response::Execution(Tag::new("SET"))
            }
            Command::Reset => {
                session.reset();
                Response::Execution(Tag::new("RESET"))
            }
            Command::Show(name) => {
                let value = session.get(&name);
                let value = value.ok_or_else(|| refused(&Refusal::Setting(name.clone())))?;
                let fields = Arc::new(vec![shown(&name)]);
                let mut row = DataRowEncoder::new(Arc::clone(&fields));
                row.encode_field(&value)?;
                let row = row.take_row();
                let mut rows = QueryResponse::new(fields, stream::iter([Ok(row)]));
                rows.set_command_tag("SHOW");
                Response::Query(rows)
            }
            Command::Begin => Response::TransactionStart(Tag::new("BEGIN")),
            Command::End(word) => Response::TransactionEnd(Tag::new(word)),
            Command::Nothing(word) => Response::Execution(Tag::new(word)),
            Command::Query(_) => return Err(error("XX000", "a query was taken for a command".to_owned())),
        })
    }
}

/// The result, if it comes in time.
async fn in_time<T>(bounds: Bounds, work: impl Future<Output = T>) -> PgWireResult<T> {
    timeout_at(bounds.deadline, work).await.map_err(|_| refused(&Refusal::TooSlow(bounds.timeout)))
}

/// The connection's settings.
fn session<C: ClientInfo>(client: &C) -> Arc<Session> {
    let user = || client.metadata().get(METADATA_USER).cloned().unwrap_or_default();
    client.session_extensions().get_or_insert_with(|| Session::new(&user()))
}

/// The one column of a setting.
fn shown(name: &str) -> FieldInfo {
    FieldInfo::new(name.to_owned(), None, None, PgType::TEXT, FieldFormat::Text)
}

#[async_trait]
impl SimpleQueryHandler for Handler {
    async fn do_query<C>(&self, client: &mut C, query: &str) -> PgWireResult<Vec<Response>>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = session(client);
        let commands =
            commands(query, self.engine.options.statement_bytes_max).map_err(|refusal| refused(&refusal))?;
        if commands.is_empty() {
            return Ok(vec![Response::EmptyQuery]);
        }
        let mut responses = Vec::with_capacity(commands.len());
        for command in commands {
            let bounds = self.bounds(&session);
            let response = match self.prepare(command, &session, bounds).await {
                Ok(Prepared::Query(planned)) => {
                    let names = planned.names.as_deref();
                    self.rows(planned.plan.clone(), names, &Format::UnifiedText, bounds).await
                }
                Ok(Prepared::Other(command)) => self.other(command, &session),
                Err(error) => Err(error),
            };
            match response {
                Ok(response) => responses.push(response),
                Err(error) if responses.is_empty() => return Err(error),
                // What came before it is answered, and nothing behind it is.
                Err(error) => {
                    responses.push(Response::Error(Box::new(error.into())));
                    break;
                }
            }
        }
        Ok(responses)
    }
}

#[async_trait]
impl QueryParser for Handler {
    type Statement = Prepared;

    async fn parse_sql<C>(
        &self,
        client: &C,
        sql: &str,
        _types: &[Option<PgType>],
    ) -> PgWireResult<Option<Prepared>>
    where
        C: ClientInfo + Unpin + Send + Sync,
    {
        let session = session(client);
        let mut commands =
            commands(sql, self.engine.options.statement_bytes_max).map_err(|refusal| refused(&refusal))?;
        match (commands.pop(), commands.is_empty()) {
            (None, _) => Ok(None),
            (Some(command), true) => self.prepare(command, &session, self.bounds(&session)).await.map(Some),
            (Some(_), false) => {
                let sentence = "a prepared statement is one statement: send the others by themselves";
                Err(error("42601", sentence.to_owned()))
            }
        }
    }

    fn get_parameter_types(&self, statement: &Prepared) -> PgWireResult<Vec<PgType>> {
        let wanted = wanted(statement)?;
        Ok(wanted.iter().map(|wanted| announced(wanted.as_ref())).collect())
    }

    fn get_result_schema(
        &self,
        statement: &Prepared,
        format: Option<&Format>,
    ) -> PgWireResult<Vec<FieldInfo>> {
        Ok(match statement {
            Prepared::Query(planned) => {
                let schema = planned.plan.schema();
                fields(schema.as_arrow(), planned.names.as_deref(), format.unwrap_or(&Format::UnifiedText))
            }
            Prepared::Other(Command::Show(name)) => vec![shown(name)],
            Prepared::Other(_) => Vec::new(),
        })
    }
}

/// The types that a statement takes its parameters for, in their order.
fn wanted(statement: &Prepared) -> PgWireResult<Vec<Option<DataType>>> {
    let Prepared::Query(planned) = statement else { return Ok(Vec::new()) };
    let named = planned.plan.get_parameter_types().map_err(|error| failed(&error))?;
    let mut types = Vec::new();
    for (name, data_type) in named {
        let number: usize = name.trim_start_matches('$').parse().unwrap_or(0);
        let Some(at) = number.checked_sub(1).filter(|at| *at < usize::from(u16::MAX)) else {
            let sentence = format!("{name} is no parameter: they are $1, $2 and so on");
            return Err(error("42P02", sentence));
        };
        if types.len() <= at {
            types.resize(at + 1, None);
        }
        types[at] = data_type;
    }
    Ok(types)
}

/// The plan with the values that a client has bound.
fn bound(portal: &Portal<Prepared>, planned: &Planned) -> PgWireResult<LogicalPlan> {
    let wanted = wanted(&portal.statement.statement)?;
    if portal.parameters.len() < wanted.len() {
        let (given, needed) = (portal.parameters.len(), wanted.len());
        return Err(error("08P01", format!("the statement has {needed} parameters, and {given} were given")));
    }
    let sent = &portal.statement.parameter_types;
    let values = portal.parameters.iter().enumerate().map(|(at, bytes)| {
        let sent = sent.get(at).and_then(Option::as_ref);
        let wanted = wanted.get(at).and_then(Option::as_ref);
        let is_binary = match &portal.parameter_format {
            Format::Individual(codes) => codes.get(at).is_some_and(|code| *code == 1),
            format => format.is_binary(at),
        };
        value(at + 1, sent, wanted, is_binary, bytes.as_deref()).map_err(|refusal| refused(&refusal))
    });
    planned.with_values(values.collect::<PgWireResult<_>>()?).map_err(|error| failed(&error))
}

#[async_trait]
impl ExtendedQueryHandler for Handler {
    type Statement = Prepared;
    type QueryParser = Self;

    fn query_parser(&self) -> Arc<Self> {
        Arc::new(Self { engine: Arc::clone(&self.engine) })
    }

    async fn do_describe_portal<C>(
        &self,
        _client: &mut C,
        portal: &Portal<Prepared>,
    ) -> PgWireResult<DescribePortalResponse>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let fields = match &portal.statement.statement {
            // With its values a statement knows all of its types.
            Prepared::Query(planned) => {
                let plan = bound(portal, planned)?;
                fields(plan.schema().as_arrow(), planned.names.as_deref(), &portal.result_column_format)
            }
            other => self.get_result_schema(other, Some(&portal.result_column_format))?,
        };
        Ok(DescribePortalResponse::new(fields))
    }

    async fn do_query<C>(
        &self,
        client: &mut C,
        portal: &Portal<Prepared>,
        _max_rows: usize,
    ) -> PgWireResult<Response>
    where
        C: ClientInfo + ClientPortalStore + Sink<PgWireBackendMessage> + Unpin + Send + Sync,
        C::PortalStore: PortalStore<Statement = Prepared>,
        C::Error: Debug,
        PgWireError: From<<C as Sink<PgWireBackendMessage>>::Error>,
    {
        let session = session(client);
        match &portal.statement.statement {
            Prepared::Query(planned) => {
                let plan = bound(portal, planned)?;
                self.rows(plan, planned.names.as_deref(), &portal.result_column_format, self.bounds(&session))
                    .await
            }
            Prepared::Other(command) => self.other(command.clone(), &session),
        }
    }
}
