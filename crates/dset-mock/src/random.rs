//! Random numbers of the distribution that latencies and lengths of answers follow.

use fastrand::Rng;

/// Draws from a log-normal distribution.
pub(crate) fn log_normal(random: &mut Rng, median: f64, sigma: f64) -> f64 {
    if sigma <= 0.0 {
        return median;
    }
    // The Box-Muller transform.
    let (u, v) = (random.f64().max(f64::MIN_POSITIVE), random.f64());
    let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos();
    median * (sigma * normal).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_draws_are_below_the_median_and_a_sixth_above_a_sigma() {
        let mut random = Rng::with_seed(1);
        let draws: Vec<f64> = (0..10_000).map(|_| log_normal(&mut random, 60.0, 0.8)).collect();
        let share = |most: f64| draws.iter().filter(|draw| **draw < most).count() as f64 / 1e4;
        assert!((share(60.0) - 0.5).abs() < 0.02);
        assert!((share(60.0 * 0.8_f64.exp()) - 0.841).abs() < 0.02);
        assert_eq!(log_normal(&mut random, 60.0, 0.0), 60.0);
    }
}
