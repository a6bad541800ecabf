//! The query engine with the application's tables in it. Owns its set-up and its bounds; must not know the protocol.

use std::num::NonZeroUsize;
use std::sync::Arc;

use datafusion::common::ParamValues;
use datafusion::dataframe::DataFrame;
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::SendableRecordBatchStream;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::logical_expr::LogicalPlan;
use datafusion::prelude::{SessionConfig, SessionContext};
use datafusion::sql::parser::Statement as EngineStatement;
use datafusion::sql::sqlparser::ast::Statement;

use crate::catalog::{Catalog, oid_of, register};
use crate::options::SqlOptions;
use crate::statement::{DATABASE, Session, rewrite};
use crate::tables::Tables;

/// Users of memory that an error names.
const NAMED_CONSUMERS: NonZeroUsize = NonZeroUsize::new(3).expect("three is not nought");

/// The engine.
pub(crate) struct Engine {
    context: SessionContext,
    tables: Arc<Tables>,
    pub(crate) options: SqlOptions,
}

/// A statement that is ready to run, once its parameters are known.
#[derive(Clone, Debug)]
pub(crate) struct Planned {
    pub(crate) plan: LogicalPlan,
    /// What the columns are called, where the statement says so.
    pub(crate) names: Option<Vec<String>>,
}

impl Engine {
    pub(crate) fn new(tables: Arc<Tables>, options: SqlOptions) -> Result<Self> {
        let pool = GreedyMemoryPool::new(options.memory_bytes_max);
        let runtime = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(TrackConsumersPool::new(pool, NAMED_CONSUMERS)))
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .build_arc()?;
        let mut config = SessionConfig::new()
            .with_default_catalog_and_schema(DATABASE, "public")
            .with_create_default_catalog_and_schema(false)
            .with_information_schema(false)
            .with_target_partitions(options.threads.max(1));
        let settings = config.options_mut();
        settings.execution.time_zone = Some("+00:00".to_owned());
        settings.sql_parser.map_string_types_to_utf8view = false;
        settings.sql_parser.dialect = datafusion::config::Dialect::PostgreSQL;
        let context = SessionContext::new_with_config_rt(config, runtime);
        context.register_catalog(DATABASE, Arc::new(Catalog::new(Arc::clone(&tables))));
        register(&context, &tables);
        Ok(Self { context, tables, options })
    }

    /// Plans a query.
    pub(crate) async fn plan(&self, mut statement: Statement, session: &Session) -> Result<Planned> {
        let names = rewrite(&mut statement, session, &|name| oid_of(&self.tables, name));
        let statement = EngineStatement::Statement(Box::new(statement));
        let plan = self.context.state().statement_to_plan(statement).await?;
        let only_reads =
            SQLOptions::new().with_allow_ddl(false).with_allow_dml(false).with_allow_statements(false);
        only_reads.verify_plan(&plan)?;
        Ok(Planned { plan, names })
    }

    /// Runs a plan.
    pub(crate) async fn run(&self, plan: LogicalPlan) -> Result<SendableRecordBatchStream> {
        DataFrame::new(self.context.state(), plan).execute_stream().await
    }
}

impl Planned {
    /// The same with these values for its parameters.
    pub(crate) fn with_values(
        &self,
        values: Vec<datafusion::common::ScalarValue>,
    ) -> Result<LogicalPlan, DataFusionError> {
        if values.is_empty() {
            return Ok(self.plan.clone());
        }
        self.plan.clone().with_param_values(ParamValues::from(values))
    }
}
