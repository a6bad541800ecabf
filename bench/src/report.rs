//! The figures as JSON and as a table for people. Owns the bars and the layout; measures nothing.

use std::fmt::Write as _;

use serde::Serialize;

use crate::figures::{Case, Figures, Side};

/// What one call has measured.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The figures that have bars.
    #[serde(flatten)]
    pub figures: Figures,
    /// Trades of the workloads that read as fast as they can.
    pub records: u64,
    /// Trades of the workloads that are fed at a rate.
    pub paced_records: u64,
    /// Load average of the machine before and after.
    pub load: (f64, f64),
    /// All that was measured.
    pub cases: Vec<Case>,
}

impl Report {
    pub(crate) fn new(records: u64, paced_records: u64, load: (f64, f64), cases: Vec<Case>) -> Self {
        Self { figures: Figures::of(&cases), records, paced_records, load, cases }
    }

    /// Whether both sides wrote what had to come out, everywhere.
    #[must_use]
    pub fn outputs_equal(&self) -> bool {
        self.figures.outputs_equal
    }

    /// The report as JSON.
    ///
    /// # Panics
    /// Never: numbers and texts are JSON.
    #[must_use]
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).expect("numbers and texts are JSON")
    }

    /// The report as tables.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = String::from(
            "case           side   CPU-s/M  last 40 %  RssAnon MiB  first out s  wall s  broker CPU-s/M  load\n",
        );
        for case in &self.cases {
            row(&mut text, case, "jvm", &case.theirs);
            row(&mut text, case, "ours", &case.ours);
        }
        text.push_str("\nours whole run over the JVM's last 40 %             measured  bar    holds\n");
        let figures = &self.figures;
        let bars = [
            ("CPU a record, candles, at least once", figures.cpu_ratio_alo, 0.25),
            ("CPU a record, candles, exactly once, 25,000 a second", figures.cpu_ratio_eos, 0.25),
            ("CPU a record, stateless", figures.cpu_ratio_stateless, 1.0 / 3.0),
            ("peak RssAnon, candles, at least once", figures.rss_ratio, 0.125),
            ("first output after process start, in seconds", figures.first_output_s, 1.0),
        ];
        for (name, measured, bar) in bars {
            let Some(measured) = measured else { continue };
            let holds = if measured <= bar { "yes" } else { "NO" };
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<53}{measured:>7.3}  {bar:<5.3}  {holds}");
        }
        if let Some(ratio) = figures.cpu_ratio_alo_cache_off {
            let _ = writeln!(text, "{:<53}{ratio:>7.3}  (no bar)", "CPU a record, candles, record cache off");
        }
        for case in self.cases.iter().filter(|case| !case.outputs_equal()) {
            let _ = writeln!(
                text,
                "\n{}: the outputs differ\n  expected {:?}\n  jvm      {:?}\n  ours     {:?}",
                case.name, case.expected, case.theirs.totals, case.ours.totals
            );
        }
        if self.outputs_equal() {
            text.push_str("All outputs are what the recount of the trades expects.\n");
        }
        text
    }
}

fn row(text: &mut String, case: &Case, name: &str, side: &Side) {
    let last = side.cpu_s_per_million_last_40_percent;
    let last = last.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.3}"));
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "{:<14} {name:<5} {:>8.3} {last:>10} {:>12.1} {:>12.2} {:>7.1} {:>15.3}  {:.1}-{:.1}",
        case.name,
        side.cpu_s_per_million,
        side.rss_anon_mib,
        side.first_output_s,
        side.wall_s,
        side.broker_cpu_s_per_million,
        case.load.0,
        case.load.1
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::totals::Totals;

    fn side(cpu_s: f64, totals: Totals) -> Side {
        Side {
            cpu_s,
            cpu_s_per_million: cpu_s,
            cpu_s_per_million_last_40_percent: Some(cpu_s / 2.0),
            rss_anon_mib: cpu_s * 100.0,
            first_output_s: cpu_s,
            wall_s: 10.0,
            broker_cpu_s_per_million: 0.5,
            totals,
        }
    }

    #[test]
    fn ours_whole_is_set_against_the_warm_part_of_the_jvm_and_a_wrong_sum_is_told() {
        let right = Totals { records: 2, integers: 3, ten_thousandths: 4 };
        let wrong = Totals { integers: 4, ..right };
        let case = |name, ours| Case {
            name,
            records: 1_000_000,
            load: (1.0, 2.0),
            ours: side(0.5, ours),
            theirs: side(4.0, right),
            expected: right,
        };
        let report = Report::new(1_000_000, 0, (1.0, 2.0), vec![case("alo", right)]);
        assert_eq!(report.figures.cpu_ratio_alo, Some(0.25));
        assert_eq!(report.figures.rss_ratio, Some(0.125));
        assert!(report.outputs_equal() && !report.table().contains("NO"));
        let report = Report::new(1_000_000, 0, (1.0, 2.0), vec![case("alo", right), case("eos", wrong)]);
        assert!(!report.outputs_equal());
        assert!(report.table().contains("eos: the outputs differ"), "{}", report.table());
    }
}
