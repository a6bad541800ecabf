//! The groups, windows and aggregations of a spec.

use candlewick::{SessionWindows, SlidingWindows, TimeWindows, Timestamp};

use super::functions::{self, Combine};
use super::handle::Handle;
use super::interpreter::{Built, Contents, Fields, Reading, Refused, misplaced};
use super::table::ms;
use super::text::{Key, Value, or_null};

/// The windows of a node, of whichever kind.
enum Windows {
    Time(TimeWindows),
    Sliding(SlidingWindows),
    Sessions(SessionWindows),
}

fn windows(node: &Fields<'_>) -> Built<Windows> {
    let grace = ms(node, "grace");
    Ok(match node.text("type") {
        "time" => {
            let windows = TimeWindows::of_size_and_grace(ms(node, "size"), grace);
            Windows::Time(if node.has("advance") { windows.advance_by(ms(node, "advance")) } else { windows })
        }
        "unlimited" => {
            Windows::Time(TimeWindows::unlimited_from(Timestamp(node.signed("start").unwrap_or(0))))
        }
        "sliding" => Windows::Sliding(SlidingWindows::of_time_difference_and_grace(ms(node, "diff"), grace)),
        "session" => Windows::Sessions(SessionWindows::of_inactivity_gap_and_grace(ms(node, "gap"), grace)),
        other => return Err(Refused::NotBuilt(format!("{other} windows"))),
    })
}

impl<'b> Reading<'b> {
    pub(super) fn window(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let on_close = node.text("emit") == "close";
        Ok(match (self.handle(node, "from")?, windows(node)?) {
            (Handle::Grouped(grouped), Windows::Time(windows)) => {
                let windowed = grouped.windowed_by(windows);
                if on_close { windowed.emit_on_window_close() } else { windowed }.into()
            }
            (Handle::Grouped(grouped), Windows::Sliding(windows)) => {
                let windowed = grouped.windowed_by(windows);
                if on_close { windowed.emit_on_window_close() } else { windowed }.into()
            }
            (Handle::Grouped(grouped), Windows::Sessions(windows)) => {
                let windowed = grouped.windowed_by(windows);
                if on_close { windowed.emit_on_window_close() } else { windowed }.into()
            }
            (Handle::Cogrouped(group), Windows::Time(windows)) => {
                Handle::WindowedCogroup(group.windowed_by(windows))
            }
            (Handle::Cogrouped(group), Windows::Sliding(windows)) => {
                Handle::SlidingCogroup(group.windowed_by(windows))
            }
            (Handle::Cogrouped(group), Windows::Sessions(windows)) => {
                Handle::SessionCogroup(group.windowed_by(windows))
            }
            _ => return Err(misplaced(node)),
        })
    }

    pub(super) fn count(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        Ok(match self.handle(node, "from")? {
            Handle::Grouped(grouped) => grouped.count(self.materialized(node, Contents::Counts)).into(),
            Handle::GroupedTable(grouped) => grouped.count(self.materialized(node, Contents::Counts)).into(),
            Handle::Windowed(windowed) => {
                windowed.count(self.materialized(node, Contents::WindowCounts)).into()
            }
            Handle::Sliding(windowed) => {
                windowed.count(self.materialized(node, Contents::WindowCounts)).into()
            }
            Handle::Sessions(windowed) => {
                windowed.count(self.materialized(node, Contents::SessionCounts)).into()
            }
            _ => return Err(misplaced(node)),
        })
    }

    pub(super) fn reduce(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let function = functions::reducer(node.text("fn"))?;
        let reduce = move |x: &Value, y: &Value| function(x.as_deref(), y.as_deref());
        Ok(match self.handle(node, "from")? {
            Handle::Grouped(grouped) => {
                grouped.reduce(reduce, self.materialized(node, Contents::Values)).into()
            }
            Handle::GroupedTable(grouped) => {
                let function = functions::reducer(node.text("remove"))?;
                let remove = move |x: &Value, y: &Value| function(x.as_deref(), y.as_deref());
                grouped.reduce(reduce, remove, self.materialized(node, Contents::Values)).into()
            }
            Handle::Windowed(windowed) => {
                windowed.reduce(reduce, self.materialized(node, Contents::WindowValues)).into()
            }
            Handle::Sliding(windowed) => {
                windowed.reduce(reduce, self.materialized(node, Contents::WindowValues)).into()
            }
            Handle::Sessions(windowed) => {
                windowed.reduce(reduce, self.materialized(node, Contents::SessionValues)).into()
            }
            _ => return Err(misplaced(node)),
        })
    }

    pub(super) fn aggregate(&mut self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let name = ["init_of", "fn"].into_iter().map(|field| node.text(field)).find(|name| !name.is_empty());
        let functions::Aggregate { initial, add, remove, merge } =
            functions::aggregate(name.unwrap_or("concat"))?;
        let initialize = move || initial.clone();
        let add = added(add);
        let merge = move |_: &Key, x: &Value, y: &Value| merge(x.as_deref(), y.as_deref());
        Ok(match self.handle(node, "from")? {
            Handle::Grouped(grouped) => {
                grouped.aggregate(initialize, add, self.materialized(node, Contents::Values)).into()
            }
            Handle::GroupedTable(grouped) => {
                let materialized = self.materialized(node, Contents::Values);
                grouped.aggregate(initialize, add, added(remove), materialized).into()
            }
            Handle::Windowed(windowed) => {
                windowed.aggregate(initialize, add, self.materialized(node, Contents::WindowValues)).into()
            }
            Handle::Sliding(windowed) => {
                windowed.aggregate(initialize, add, self.materialized(node, Contents::WindowValues)).into()
            }
            Handle::Sessions(windowed) => {
                let materialized = self.materialized(node, Contents::SessionValues);
                windowed.aggregate(initialize, add, merge, materialized).into()
            }
            Handle::Cogrouped(group) => {
                group.aggregate(initialize, self.materialized(node, Contents::Values)).into()
            }
            Handle::WindowedCogroup(group) => {
                group.aggregate(initialize, self.materialized(node, Contents::WindowValues)).into()
            }
            Handle::SlidingCogroup(group) => {
                group.aggregate(initialize, self.materialized(node, Contents::WindowValues)).into()
            }
            Handle::SessionCogroup(group) => {
                let materialized = self.materialized(node, Contents::SessionValues);
                group.aggregate(initialize, merge, materialized).into()
            }
            _ => return Err(misplaced(node)),
        })
    }

    pub(super) fn cogroup(&self, node: &Fields<'_>) -> Built<Handle<'b>> {
        let mut cogrouped = None;
        for part in node.parts("groups") {
            let Handle::Grouped(grouped) = self.handle(&part, "from")? else { return Err(misplaced(node)) };
            let functions::Aggregate { add, .. } = functions::aggregate(part.text("fn"))?;
            let tag = part.text("tag").to_owned();
            let add = move |_: &Key, v: &Value, a: &mut Value| {
                let tagged = format!("{tag}{}", or_null(v.as_deref()));
                *a = add(a.as_deref(), Some(&tagged));
            };
            cogrouped = Some(match cogrouped {
                None => grouped.cogroup(add),
                Some(group) => candlewick::CogroupedKStream::cogroup(group, grouped, add),
            });
        }
        cogrouped.map(Handle::Cogrouped).ok_or_else(|| misplaced(node))
    }
}

fn added(add: Combine) -> impl Fn(&Key, &Value, &mut Value) + Send + Sync + 'static {
    move |_, v, a| *a = add(a.as_deref(), v.as_deref())
}
