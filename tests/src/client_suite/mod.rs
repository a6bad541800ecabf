//! What every engine of the log must do, asserted through `Arc<dyn Log>` alone: called for the embedded log and for real
//! Kafka. Must not know which engine it speaks to, and asserts only what Apache Kafka guarantees.
//!
//! A Kafka broker under test needs `log.cleaner.backoff.ms`, `log.retention.check.interval.ms` and
//! `transaction.abort.timed.out.transaction.cleanup.interval.ms` of about a second, or the behaviours that wait for
//! them run out of patience.

pub mod compaction_retention;
pub mod fencing;
pub mod fixture;
pub mod groups;
pub mod isolation;
pub mod offsets;
pub mod produce_consume;
pub mod records_deleted;
pub mod time;
pub mod transactions;

/// One `#[test]` for each behaviour of the suite, in a module `$engine`; `$log` makes the `Arc<dyn Log>` to test, or an
/// `Option` of it where the engine may be missing and has said so.
///
/// ```text
/// candlewick_tests::client_suite!(in_memory, || EmbeddedLog::in_memory() as Arc<dyn Log>);
/// ```
#[macro_export]
macro_rules! client_suite {
    ($engine:ident, $log:expr) => {
        $crate::client_suite! { @tests $engine, $log,
            produce_consume: records_keep_their_parts_and_order, partitions_are_independent,
                acknowledged_is_the_end_after_a_flush, poll_waits_for_a_record_written_later,
                paused_partition_is_silent_until_resumed, seek_moves_both_ways, poll_brings_no_more_than_asked,
                missing_topic_is_named, too_large_record_is_rejected_and_others_go_on,
                starting_at_the_end_sees_only_what_comes_later, creating_a_topic_twice_is_fine_in_one_shape_only,
                position_out_of_range_is_an_error;
            offsets: committed_offsets_come_back_with_their_text, groups_commit_apart,
                administrator_sets_and_deletes_a_groups_offsets;
            time: offset_for_time_is_the_first_record_not_earlier;
            isolation: committed_transaction_is_seen_as_a_whole, aborted_records_are_hidden_from_read_committed,
                what_is_committed_is_seen_from_any_place_before_it,
                read_committed_stops_at_an_open_transaction, position_passes_markers_and_aborted_records,
                transactions_of_two_producers_interleave;
            transactions: offsets_appear_with_their_commit, committed_waits_for_an_open_transaction,
                abandoned_transaction_is_aborted_by_its_timeout, empty_transactions_end_at_once,
                sending_outside_of_a_transaction_is_refused;
            fencing: new_owner_fences_the_old_one, new_owner_ends_the_old_ones_transaction,
                different_ids_do_not_fence_each_other;
            groups: single_member_gets_everything, partitions_move_only_after_their_owner_let_go,
                partitions_of_a_leaver_go_to_those_who_stay, metadata_of_an_old_generation_is_refused,
                member_whose_process_has_ended_is_taken_out_at_once, metadata_before_joining_is_refused, transaction_of_a_member_that_left_is_refused,
                offsets_of_a_group_with_members_are_not_set_from_outside;
            compaction_retention: compaction_keeps_the_newest_record_of_each_key,
                compaction_stays_below_an_open_transaction, retention_drops_old_records;
            records_deleted: records_below_the_given_offset_are_gone, deleted_topic_is_gone;
        }
    };
    (@tests $engine:ident, $log:expr, $($group:ident: $($behaviour:ident),+;)+) => {
        mod $engine {
            use super::*;
            $(mod $group {
                use super::*;
                $(#[test]
                fn $behaviour() {
                    let log: Option<::std::sync::Arc<dyn ::candlewick::client::Log>> = ($log)().into();
                    if let Some(log) = log {
                        $crate::client_suite::$group::$behaviour(&log);
                    }
                })+
            })+
        }
    };
}
