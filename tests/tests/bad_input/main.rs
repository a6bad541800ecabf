//! What may go wrong around the shipped binary, one test each: records that are no trades, servers that are down or go
//! away, topics, folders and plans that do not fit, a disk that is full. Each time it says in one sentence what is wrong, ends
//! with the right code or tries again, and nothing is lost or written twice, which is computed from the input.

mod brokers;
mod disk;
mod dlq;
mod elasticsearch;
mod features;
mod plan;
mod records;
mod registry;
mod reset;
mod run;
mod state;
mod topics;
