//! target/lab/index.html: one file, no network, light and dark, and fit for the printer.

#![forbid(unsafe_code)]

use std::io;
use std::path::PathBuf;

use crate::chart::{Bar, bars, escape};
use crate::lanes::lanes;
use crate::map;
use crate::measure::Figure;
use crate::report::{Chart, Entry, Report};
use crate::row::{Row, time};

/// The page's look. Colours have names, so that dark is a list of other values.
const STYLE: &str = include_str!("page.css");

/// Writes the page, and says where it lies.
pub fn write(report: &Report) -> io::Result<PathBuf> {
    let folder = folder();
    std::fs::create_dir_all(&folder)?;
    let path = folder.join("index.html");
    std::fs::write(&path, html(report)?)?;
    Ok(path)
}

/// `lab` in the target folder that this program was built in, wherever that is.
fn folder() -> PathBuf {
    let program = std::env::current_exe().unwrap_or_default();
    // target / profile / examples / lab
    let target = program
        .ancestors()
        .nth(3)
        .filter(|target| target.join("CACHEDIR.TAG").exists());
    target
        .map_or_else(|| PathBuf::from("target"), PathBuf::from)
        .join("lab")
}

/// The whole page.
fn html(report: &Report) -> io::Result<String> {
    let machine = escape(&report.machine.to_string());
    let machine_rest = escape(&format!(
        "{}, {}",
        report.machine.rustc, report.machine.profile
    ));
    let mut html = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>The lab: which tool fits which work</title>\n<style>\n{STYLE}</style></head>\n\
         <body><h1>Which tool fits which work</h1>\n<p>{machine}; {machine_rest}.</p>\n"
    );
    html += &map(report);
    for entry in &report.experiments {
        html += &section(entry);
    }
    // In a script element only `</` could end it early.
    let json = serde_json::to_string(report)?.replace("</", "<\\/");
    html += "<details><summary>The same as data</summary><p>It stands in this file, in the\n\
             element <code>#data</code>; <code>--json PATH</code> writes it alone.</p></details>\n";
    html +=
        &format!("<script type=\"application/json\" id=\"data\">{json}</script>\n</body></html>\n");
    Ok(html)
}

/// The map as a table.
fn map(report: &Report) -> String {
    let columns = map::columns(report);
    let mut html = String::from("<table><thead><tr><th></th>");
    for column in &columns {
        html += &format!("<th>{column}</th>");
    }
    html += "<th>verdict</th></tr></thead>\n<tbody>\n";
    for entry in &report.experiments {
        for row in &entry.map {
            let work = escape(&row.work);
            html += &format!("<tr><th><a href=\"#{}\">{work}</a></th>", entry.id);
            for column in &columns {
                let cell = row.cells.iter().find(|(name, ..)| name == column);
                html += &cell.map_or("<td></td>".to_owned(), |(_, text, sign)| {
                    let class = format!("{sign:?}").to_lowercase();
                    format!(
                        "<td class=\"{class}\">{} {}</td>",
                        escape(text),
                        sign.mark()
                    )
                });
            }
            let (verdict, note) = (escape(&row.verdict), escape(&row.note));
            html += &format!("<td><b>{verdict}</b><br>{note}</td></tr>\n");
        }
    }
    html += "</tbody></table>\n<p class=\"note\">✔ fits, ! works at a price, ✖ fails, \
             ~ extrapolated from a sample</p>\n";
    html
}

/// One experiment: its sentence, its chart, its verdicts, its figures, its command.
fn section(entry: &Entry) -> String {
    let Entry {
        id,
        question,
        explained_by,
        rows,
        ..
    } = entry;
    let title = format!("{id}: {question}");
    let mut html = format!("<section id=\"{id}\"><h2>{}</h2>\n", escape(&title));
    let unit = match entry.chart {
        Chart::Wall => "wall time, median with minimum and maximum",
        Chart::Bytes => "bytes each",
    };
    html += &bars(
        unit,
        &rows
            .iter()
            .map(|row| bar(row, entry.chart))
            .collect::<Vec<_>>(),
    );
    html += &lanes(rows);
    html += "<ul>\n";
    for verdict in &entry.verdicts {
        let mark = match verdict.held {
            Some(true) => "✔",
            Some(false) => "✖",
            None => "skipped:",
        };
        html += &format!(
            "<li>{mark} {} ({})</li>\n",
            escape(&verdict.text),
            escape(&verdict.why)
        );
    }
    html += "</ul>\n<table class=\"figures\"><thead><tr><th>tool</th><th>wall</th><th>CPU</th>\
             <th>threads</th><th>memory</th><th>switches</th><th>latest heartbeat</th>\
             <th>sample</th></tr></thead><tbody>\n";
    for row in rows {
        let mib = row.rss as f64 / 1024.0 / 1024.0;
        let gap = row.gap.map_or(String::new(), |gap| time(gap.max as f64));
        let known = |number: f64| {
            if number > 0.0 {
                format!("{number:.0}")
            } else {
                "".into()
            }
        };
        let sample = row.sample.as_deref().unwrap_or("all");
        let cells = [
            row.wall_text(),
            time(row.cpu.median),
            known(row.peak_threads as f64),
            if row.rss > 0 {
                format!("{mib:.1} MiB")
            } else {
                String::new()
            },
            known(row.switches.median),
            gap,
            sample.to_owned(),
        ];
        html += &format!(
            "<tr><th>{}</th><td>{}</td></tr>\n",
            escape(&row.tool),
            cells.join("</td><td>")
        );
    }
    html += &format!(
        "</tbody></table>\n<p>Try it: <code>cargo run --release --example lab -- {id}</code>; \
         <code>{explained_by}</code> explains it.</p></section>\n"
    );
    html
}

/// One row as a bar.
fn bar(row: &Row, chart: Chart) -> Bar {
    let (figure, text) = match chart {
        Chart::Wall => (row.wall, row.wall_text()),
        Chart::Bytes => {
            let bytes = row.extra.get("bytes each").copied().unwrap_or(0.0);
            (
                Figure {
                    median: bytes,
                    min: bytes,
                    max: bytes,
                },
                format!("{bytes:.0} B"),
            )
        }
    };
    let ours = ["loop", "task", "spawn_blocking", "pool", "stealing"]
        .iter()
        .any(|name| row.tool.starts_with(name) || row.tool.contains(": thread pool"));
    Bar {
        label: row.tool.clone(),
        figure,
        text,
        ours,
    }
}
