//! What was measured, and how it is shown.

/// Which way is better.
#[derive(Clone, Copy, PartialEq)]
pub enum Better {
    More,
    Less,
}

pub struct Row {
    pub name: String,
    pub value: f64,
    pub unit: &'static str,
    pub better: Better,
}

pub fn push(rows: &mut Vec<Row>, name: &str, value: f64, unit: &'static str, better: Better) {
    rows.push(Row {
        name: name.to_owned(),
        value,
        unit,
        better,
    });
}

#[expect(clippy::print_stdout, reason = "the table is the program's answer")]
pub fn print(columns: &[(&'static str, Vec<Row>)], raw: &[(String, f64)]) {
    let Some((_, first)) = columns.first() else {
        return;
    };
    let heads: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    println!("| work | unit | {} | ratio |", heads.join(" | "));
    println!("|---|---|{}---|", "---|".repeat(columns.len()));
    for (index, row) in first.iter().enumerate() {
        let values: Vec<f64> = columns
            .iter()
            .filter_map(|(_, rows)| rows.get(index))
            .map(|row| row.value)
            .collect();
        let ratio = match (values.first(), values.get(1)) {
            (Some(ours), Some(theirs)) if *ours > 0.0 && *theirs > 0.0 => match row.better {
                Better::More => format!("{:.1}", ours / theirs),
                Better::Less => format!("{:.1}", theirs / ours),
            },
            _ => String::new(),
        };
        let shown: Vec<String> = values.iter().map(|value| number(*value)).collect();
        println!(
            "| {} | {} | {} | {ratio} |",
            row.name.trim_end(),
            row.unit,
            shown.join(" | ")
        );
    }
    println!();
    println!(
        "Ratio: how many times better the first column is than the second (rates: first / second; \
         costs: second / first)."
    );
    println!();
    println!("| limit | /s |");
    println!("|---|---|");
    for (name, rate) in raw {
        println!("| {name} | {} |", number(*rate));
    }
}

fn number(value: f64) -> String {
    if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 1.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}
