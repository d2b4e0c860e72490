//! The table. Columns have fixed widths, so that lines appear as they are measured.

/// One line of the table.
#[derive(Default)]
pub struct Row<'a> {
    pub name: &'a str,
    /// Nanoseconds.
    pub median: f64,
    pub least: f64,
    pub instructions: Option<f64>,
    /// Times the native call.
    pub ratio: Option<f64>,
    /// The most nanoseconds that the median may take.
    pub bar: Option<f64>,
}

#[derive(Default)]
pub struct Table {
    bars: u32,
    missed: u32,
}

const NAME: usize = 46;
const MISSING: &str = "\u{2013}";

impl Table {
    pub fn head(&self) {
        let columns = ["median", "least", "instructions", "× native", "bar"];
        print_columns("", columns.map(str::to_owned));
    }

    pub fn group(&self, title: &str) {
        println!("\n{title}");
    }

    pub fn row(&mut self, row: &Row<'_>) {
        let bar = row.bar.map(|bar| {
            let held = row.median <= bar;
            self.bars += 1;
            self.missed += u32::from(!held);
            format!("≤ {} {}", time(bar), if held { "held" } else { "MISSED" })
        });
        print_columns(
            &format!("  {}", row.name),
            [
                time(row.median),
                time(row.least),
                row.instructions.map_or(MISSING.to_owned(), |count| format!("{count:.0}")),
                row.ratio.map_or(String::new(), |ratio| format!("{ratio:.1}")),
                bar.unwrap_or_default(),
            ],
        );
    }

    /// A line that could not be measured.
    pub fn note(&self, name: &str, why: &str) {
        println!("  {name}: skipped, {why}");
    }

    pub fn foot(&self, no_instructions: Option<&str>) {
        println!("\n{} of {} bars held", self.bars - self.missed, self.bars);
        if let Some(why) = no_instructions {
            println!("no instructions were counted: {why}");
        }
    }
}

fn print_columns(name: &str, [median, least, instructions, ratio, bar]: [String; 5]) {
    let line = format!("{name:<NAME$}{median:>12}{least:>12}{instructions:>14}{ratio:>10}   {bar}");
    println!("{}", line.trim_end());
}

/// Three digits that count, with the unit that fits.
fn time(nanoseconds: f64) -> String {
    let units = [("ns", 1.0), ("µs", 1e3), ("ms", 1e6), ("s", 1e9)];
    let (unit, size) = units.into_iter().rfind(|(_, size)| nanoseconds.abs() >= *size).unwrap_or(units[0]);
    let value = nanoseconds / size;
    let digits = match value.abs() {
        value if value >= 100.0 => 0,
        value if value >= 10.0 => 1,
        _ => 2,
    };
    format!("{value:.digits$} {unit}")
}
