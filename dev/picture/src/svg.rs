//! A screen as SVG: text on a dark card, so that it can be read on light and dark pages.

use std::fmt::Write as _;

use vt100::{Cell, Color, Screen};

const CELL: (f32, f32) = (8.4, 19.0);
const MARGIN: (f32, f32) = (22.0, 48.0);
const CARD: &str = "#1b1e26";
const TEXT: &str = "#d7dae0";
/// The eight colours of a terminal, calm.
const PALETTE: [&str; 8] =
    ["#5c6370", "#e58a82", "#8fc98a", "#e3c078", "#82aee5", "#c99ad6", "#7cc7c9", "#d7dae0"];

/// What cells that are drawn together have in common.
#[derive(PartialEq, Clone, Copy)]
struct Look {
    colour: &'static str,
    is_bold: bool,
    is_dim: bool,
}

fn look(cell: &Cell) -> Look {
    let colour = match cell.fgcolor() {
        Color::Idx(index) => PALETTE[usize::from(index % 8)],
        _ => TEXT,
    };
    Look { colour, is_bold: cell.bold(), is_dim: cell.dim() }
}

/// Draws the lines of a screen that have something on them.
pub(crate) fn drawn(screen: &Screen) -> String {
    let (rows, columns) = screen.size();
    let last = screen.rows(0, columns.get()).collect::<Vec<_>>();
    let last = last.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last as u16 + 1);
    let size = (
        f32::from(columns.get()) * CELL.0 + 2.0 * MARGIN.0,
        f32::from(last.min(rows.get())) * CELL.1 + MARGIN.1 + MARGIN.0,
    );
    let mut svg = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {w:.0} {h:.0}" width="{w:.0}" height="{h:.0}" role="img" aria-label="dset run on a terminal, half done">
<rect width="{w:.0}" height="{h:.0}" rx="10" fill="{CARD}"/>
<g fill="{dot}"><circle cx="24" cy="22" r="5.5"/><circle cx="42" cy="22" r="5.5"/><circle cx="60" cy="22" r="5.5"/></g>
<g font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14" xml:space="preserve">
"#,
        w = size.0,
        h = size.1,
        dot = PALETTE[0],
    );
    for row in 0..last {
        let y = MARGIN.1 + f32::from(row) * CELL.1 + 14.0;
        for (column, look, text) in pieces(screen, row) {
            let (x, width) =
                (MARGIN.0 + f32::from(column) * CELL.0, text.chars().count() as f32 * CELL.0);
            let weight = if look.is_bold { r#" font-weight="bold""# } else { "" };
            let opacity = if look.is_dim { r#" opacity="0.6""# } else { "" };
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            // The length is given, so that columns stand below each other in any font.
            let _ = writeln!(
                svg,
                r#"<text x="{x:.1}" y="{y:.1}" textLength="{width:.1}" fill="{}"{weight}{opacity}>{text}</text>"#,
                look.colour
            );
        }
    }
    svg + "</g>\n</svg>\n"
}

/// The words of a row with where they begin; gaps of two and more part them.
fn pieces(screen: &Screen, row: u16) -> Vec<(u16, Look, String)> {
    let mut pieces: Vec<(u16, Look, String)> = Vec::new();
    let mut gap = 2;
    for column in 0..screen.size().1.get() {
        let Some(cell) = screen.cell(row, column).filter(|cell| !cell.is_wide_continuation())
        else {
            continue;
        };
        if !cell.has_contents() || cell.contents() == " " {
            gap += 1;
            continue;
        }
        let look = look(cell);
        match pieces.last_mut().filter(|piece| piece.1 == look && gap < 2) {
            Some((_, _, text)) => {
                *text += if gap == 1 { " " } else { "" };
                *text += cell.contents();
            }
            None => pieces.push((column, look, cell.contents().to_owned())),
        }
        gap = 0;
    }
    pieces
}
