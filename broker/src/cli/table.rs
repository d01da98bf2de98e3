//! A list on a terminal: aligned columns with a heading. For anybody else: tabs, no heading.

use std::io::{self, Write};

/// Writes the rows. `aligned` is for people, else each row is its cells separated by tabs.
pub fn write(
    out: &mut impl Write,
    heading: &[&str],
    rows: &[Vec<String>],
    aligned: bool,
    coloured: bool,
) -> io::Result<()> {
    if !aligned {
        return rows.iter().try_for_each(|row| writeln!(out, "{}", row.join("\t")));
    }
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|text| text.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heading.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let (on, off) = if coloured { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    writeln!(out, "{on}{}{off}", line(heading.to_vec()))?;
    rows.iter()
        .try_for_each(|row| writeln!(out, "{}", line(row.iter().map(String::as_str).collect())))
}

#[cfg(test)]
mod tests {
    use super::write;

    fn check(aligned: bool, coloured: bool, expected: &str) {
        let rows =
            [vec!["d1".to_owned(), "enabled".to_owned()], vec!["device-2".into(), "x".into()]];
        let mut out = Vec::new();
        write(&mut out, &["ID", "STATUS"], &rows, aligned, coloured).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn people_get_columns_and_programs_get_tabs() {
        check(true, false, "ID        STATUS\nd1        enabled\ndevice-2  x\n");
        check(true, true, "\x1b[1mID        STATUS\x1b[0m\nd1        enabled\ndevice-2  x\n");
        check(false, false, "d1\tenabled\ndevice-2\tx\n");
    }
}
