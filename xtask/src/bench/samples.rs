//! Repeated measurements, and the ratio of two sides measured in turn.

use serde::{Deserialize, Serialize};

/// What one side gave, run by run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Samples(pub Vec<f64>);

impl Samples {
    /// The middle one; the mean of the middle two.
    pub fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        match sorted.len() {
            0 => f64::NAN,
            count if count % 2 == 1 => sorted[middle],
            _ => f64::midpoint(sorted[middle - 1], sorted[middle]),
        }
    }

    /// The smallest.
    pub fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest.
    pub fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// Each divided by the other side's of the same turn: what the machine did meanwhile, it did to both.
    pub fn turn_by_turn(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(ours, theirs)| ours / theirs).collect())
    }

    /// Each times a number.
    pub fn scaled(&self, factor: f64) -> Self {
        Self(self.0.iter().map(|value| value * factor).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Samples;

    #[test]
    fn the_median_is_the_middle_of_what_was_measured() {
        assert_eq!(Samples(vec![9.0, 1.0, 5.0]).median(), 5.0);
        assert_eq!(Samples(vec![4.0, 1.0, 2.0, 9.0]).median(), 3.0);
        assert!(Samples::default().median().is_nan());
    }

    #[test]
    fn the_spread_of_a_ratio_is_that_of_its_turns() {
        let turns = Samples(vec![10.0, 30.0]).turn_by_turn(&Samples(vec![5.0, 10.0]));
        assert_eq!((turns.least(), turns.most()), (2.0, 3.0));
    }
}
