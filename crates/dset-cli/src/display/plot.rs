//! Counts by size, as bars below each other.

use dset_core::histogram::Histogram;

use super::page::{BOLD, DIM, Page};
use super::text::count;

/// Rows of a plot, at most.
const ROWS_MAX: usize = 10;
/// Columns of a plot, on a terminal of any width.
const WIDTH: usize = 80;

/// Draws how many there are of each size, in steps of 1, 2, 5, 10; `name` writes a size. Nothing
/// where all are of one size.
pub(crate) fn draw(page: &Page, title: &str, sizes: &Histogram, name: impl Fn(u64) -> String) {
    let bounds = bounds(sizes);
    if bounds.is_empty() {
        return;
    }
    let counts = sizes.between(&bounds);
    let label = |at: usize| match (at.checked_sub(1).map(|at| bounds[at]), bounds.get(at)) {
        (None, Some(to)) => format!("under {}", name(*to)),
        (Some(from), Some(to)) => format!("{} to {}", name(from), name(*to)),
        (Some(from), None) => format!("{} and more", name(from)),
        (None, None) => String::new(),
    };
    let labels: Vec<String> = (0..counts.len()).map(label).collect();
    let names = labels.iter().map(String::len).max().unwrap_or(0);
    let most = counts.iter().copied().max().unwrap_or(0).max(1);
    let numbers = count(most).len();
    let room = page.width.unwrap_or(WIDTH).min(WIDTH).saturating_sub(names + numbers + 6).max(8);
    page.blank();
    page.line(BOLD, title, "", 2);
    for (label, number) in labels.iter().zip(counts) {
        let full = (number as f64 / most as f64 * room as f64).round() as usize;
        // A few among many are still there.
        let bar = page.bar[0].repeat(full.max(usize::from(number > 0)));
        let number = count(number);
        page.line(DIM, &format!("  {label:>names$}"), &format!("  {number:>numbers$}  {bar}"), 0);
    }
}

/// Where one row ends and the next begins, so that all but a few are told apart.
fn bounds(sizes: &Histogram) -> Vec<u64> {
    let (Some(low), Some(high)) = (sizes.quantile(0.02), sizes.quantile(0.998)) else {
        return Vec::new();
    };
    let steps = (0..17).flat_map(|power| [1, 2, 5].map(|step| step * 10u64.pow(power)));
    let mut bounds: Vec<u64> = steps.filter(|bound| (low + 1..=high).contains(bound)).collect();
    let more = bounds.len().saturating_sub(ROWS_MAX - 1);
    bounds.drain(..more);
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_where_the_most_are_and_no_more_than_fit() {
        let mut sizes = Histogram::default();
        (300..=7_000).for_each(|size| sizes.add(size));
        assert_eq!(bounds(&sizes), [500, 1_000, 2_000, 5_000]);
        (0..12_000).for_each(|at| sizes.add(10u64.pow(at / 1_000)));
        assert_eq!(bounds(&sizes).len(), ROWS_MAX - 1);
        let mut one = Histogram::default();
        one.add(7);
        assert_eq!(bounds(&one), [0u64; 0]);
    }
}
