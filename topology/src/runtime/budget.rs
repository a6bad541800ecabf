//! How the memory of an instance is divided: caches, changes that wait for a commit, what clients have fetched or not yet
//! sent, what a restoration gathers, and the pages that an engine changes at once. Pure. Must not know who keeps what there.

use super::config::StreamsConfig;

/// Shares of one instance, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Budget {
    /// Of all tasks' caches together.
    pub(crate) caches: usize,
    /// Of the clients of all threads together.
    pub(crate) buffers: usize,
    /// Of the evicted, uncommitted changes of one task: more make an early commit.
    pub(crate) overlay: usize,
    /// Of records on their way from changelogs into engines.
    pub(crate) gathered: usize,
    /// Of the pages that one task's engine changes in one transaction.
    pub(crate) pages: usize,
}

/// What the program takes with nothing to do, beside what it is given here: code that is relocated, stacks of threads, and
/// what clients keep of the cluster.
const PROGRAM: usize = 24 << 20;
/// Less than this for everything is no use to anybody.
const LEAST: usize = 16 << 20;

impl Budget {
    /// The division for an application of so many tasks.
    pub(crate) fn of(config: &StreamsConfig, tasks: usize) -> Self {
        let tasks = tasks.max(1);
        let Some(total) = config.memory_bytes_max else {
            return Self {
                caches: config.cache_bytes_max,
                buffers: config.buffer_bytes_max,
                overlay: 32 << 20,
                gathered: 64 << 20,
                pages: 8 << 20,
            };
        };
        let rest = total.saturating_sub(PROGRAM).max(LEAST);
        let percent = |share: usize| rest / 100 * share;
        Self {
            caches: percent(30),
            buffers: percent(25),
            overlay: percent(15) / tasks,
            gathered: percent(15),
            pages: percent(15) / tasks,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_of_all_tasks_fit_into_what_is_given() {
        for (total, tasks) in [(64_usize << 20, 1), (256 << 20, 4), (256 << 20, 100), (1 << 20, 7)] {
            let config = StreamsConfig { memory_bytes_max: Some(total), ..StreamsConfig::new("app") };
            let Budget { caches, buffers, overlay, gathered, pages } = Budget::of(&config, tasks);
            let sum = caches + buffers + gathered + (overlay + pages) * tasks;
            assert!(sum + PROGRAM <= total.max(LEAST + PROGRAM), "{sum} of {total}");
            assert!(sum * 10 >= total.saturating_sub(PROGRAM) * 9, "{sum} of {total}: nearly all is used");
        }
    }

    #[test]
    fn without_a_budget_the_parts_are_what_they_are_configured_to_be() {
        let config = StreamsConfig { cache_bytes_max: 0, buffer_bytes_max: 5, ..StreamsConfig::new("app") };
        let budget = Budget::of(&config, 3);
        assert_eq!((budget.caches, budget.buffers), (0, 5));
    }
}
