//! Who runs which task, and how a task changes hands. Owns the protocol between instances; must not know records of the
//! application, stores or nodes.
//!
//! The broker fences members, not tasks: it refuses a commit in the name of a member that is gone, and accepts one in the
//! name of a living member for any task at all. So which member commits for which task is settled between the members, in
//! the control topic, all of whose protocol records lie in one partition and are read in one order by everybody.
//!
//! # The steps
//!
//! 1. **Join.** An instance's control thread joins the group, subscribed to the control topic alone, and polls it all the
//!    time. When it is in, it *announces* itself under `member/<instance>`: its incarnation (instance, process, member id,
//!    number of losses), transactional ids, threads, fingerprint, the newest epoch of the table that it has acted upon
//!    (`applied`) and the tasks it may have something open for (`holds`). Its stream threads have registered their
//!    transactional ids before that.
//! 2. **Lead.** The owner of partition 0 of the control topic registers the transactional id `<application>-leader`, which
//!    ends and fences every earlier leader, and then reads the control topic to its end. From now on it alone writes rows.
//! 3. **Place.** It asks for the group's members, places the tasks over those of them that are announced
//!    ([`assignment`](super::assignment)), and writes what follows in one transaction with the next epoch:
//!    a task that nobody has is *granted* to an incarnation, one that should be elsewhere is marked *revoking*.
//! 4. **Take.** A member that reads a grant to its present incarnation gives the task to a thread, which restores it and
//!    starts at the committed offsets. Grants to any other incarnation mean nothing to it.
//! 5. **Give up.** A member that reads that a task of its own is revoking has the thread commit, or abort when the commit is
//!    refused, and close the stores. Only when that has returned it announces `holds` without the task. The leader takes
//!    a task for *released* when its owner's incarnation has applied the row's epoch and does not hold the task: then it
//!    grants it anew (3).
//! 6. **Loss.** A member that learns that its membership was lost has all threads abort and forget everything, and only
//!    then announces itself under its next incarnation. The leader takes whatever an earlier incarnation of the same
//!    process had for released.
//! 7. **Crash.** An owner whose member id has left the group (or whose instance was started again as another process) and
//!    which did not release a task is *gone*. The leader registers all its transactional ids, which ends its open
//!    transactions and fences it, waits `scheduled_rebalance_delay_ms` for the instance to come back, and grants the task.
//! 8. **Commit.** Before each commit a thread fetches the member's metadata anew through the [`Gate`], which refuses when a
//!    task in the commit was granted under another incarnation than the present. A refusal is ordinary: the thread aborts,
//!    goes back to the last commit and waits until the gate lets it through or its tasks are taken.
//! 9. **Leave.** An instance that stops commits and closes everything, announces that it is leaving and holds nothing, waits
//!    a moment until others have its tasks, and leaves the group.
//!
//! # Copies
//!
//! Beside the table the leader writes, for each task with stores, which instances keep a copy of them: `standby_replicas`
//! of them, and whoever the task is to move to. Members announce how many records each of their copies is behind. Step 3
//! heeds that: a granted task is marked revoking only when the copy where it goes is within `acceptable_recovery_lag`, and
//! what nobody has goes to the nearest copy, at once. None of the steps relies on it: whoever is granted a task reads its
//! changelogs to their ends first, with a copy or without.
//!
//! # Why a record is never processed by two owners with effect
//!
//! - *One writer.* Rows are written in transactions of one id. A leader that was replaced without knowing it is fenced, and
//!   its successor has read everything that it ever wrote, because it read to the end after fencing it.
//! - *A grant follows the end of what came before.* It is written after a release (5, 6, 9) or after the fence (7). After a
//!   release nothing of the old owner is open: the words follow the return of its commit or abort in its own program
//!   order, and it takes the task up again only on a later grant, since an announcement never names an epoch before the
//!   grants of that epoch were taken.
//! - *After the fence nothing of the old owner can be committed.* Under exactly-once its producers are fenced; a transaction
//!   that was decided before counts whole, and the new owner, who reads committed offsets and the changelog's end after the
//!   grant, starts behind it. Under at-least-once its commits are refused because its member id has left the group before
//!   the grant. If it wakes up, joins anew and fetches fresh metadata, the gate refuses it: what a task was granted under
//!   is not the present incarnation, and a loss counts from within the same lock under which it was noticed.
//! - *Fencing hits no one alive.* Ids that a living member has announced are left out. An instance that was fenced all the
//!   same (it came back at that very moment) gives up what its threads run, registers its ids again, and announces that it
//!   does not hold the tasks any more; they are granted anew.
//! - *Nobody needs the leader to go on.* While there is none, every row stands and every member keeps what it has. What a new
//!   leader remembers is in the topic; it may fence again what was fenced before, which harms nobody.
//! - *A task is not held hostage.* A thread that does not give up in `task_stuck_after_ms` fails its instance: the gate is
//!   shut, the member leaves, and step 7 does the rest.
//!
//! Instances of different versions: the fingerprint is a checksum of the topology's description and its partition counts.
//! The leader places tasks only on members with its own fingerprint; a member with another one keeps what it has until it
//! leaves, gets nothing new, and both say so. So during an upgrade, instance by instance, tasks stay among the version
//! that leads until the last of its leaders is gone.

mod copies;
mod desk;
mod fingerprint;
mod gate;
mod holding;
mod journal;
mod leader;
mod records;
mod table;
#[cfg(test)]
mod table_tests;
mod view;

pub(crate) use desk::{Desk, Grant, Word};
pub(crate) use fingerprint::fingerprint;
pub(crate) use gate::Gate;
pub(crate) use holding::Standing;
pub(crate) use journal::{Journal, write};
pub(crate) use leader::{Leader, Order};
pub(crate) use records::{Announcement, Incarnation, Key, encode};
pub(crate) use view::Change;
#[cfg(feature = "fuzz")]
pub(crate) use view::View;
