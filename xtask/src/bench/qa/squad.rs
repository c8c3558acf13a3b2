//! Exact match and F1 as the evaluation of SQuAD 2.0 takes them (Rajpurkar, Jia and Liang, arXiv 1806.03822), and how sure their means
//! are.

use std::collections::HashMap;

/// Lower case, without ASCII punctuation and articles, with single spaces.
pub fn normalise(text: &str) -> String {
    let bare: String = text.to_lowercase().chars().filter(|c| !c.is_ascii_punctuation()).collect();
    bare.split_whitespace().filter(|word| !matches!(*word, "a" | "an" | "the")).collect::<Vec<_>>().join(" ")
}

/// 1 where the answer is one of the accepted ones; no accepted one means that there is no answer.
pub fn exact(answer: &str, accepted: &[String]) -> f64 {
    let answer = normalise(answer);
    let equal = accepted.iter().any(|accepted| normalise(accepted) == answer);
    f64::from(u8::from(equal || (accepted.is_empty() && answer.is_empty())))
}

/// The largest harmonic mean of precision and recall of words over the accepted answers.
pub fn f1(answer: &str, accepted: &[String]) -> f64 {
    if accepted.is_empty() {
        return exact(answer, accepted);
    }
    accepted.iter().map(|accepted| overlap(answer, accepted)).fold(0.0, f64::max)
}

fn overlap(answer: &str, accepted: &str) -> f64 {
    let (answer, accepted) = (normalise(answer), normalise(accepted));
    let (said, wanted): (Vec<&str>, Vec<&str>) = (answer.split(' ').collect(), accepted.split(' ').collect());
    if answer.is_empty() || accepted.is_empty() {
        return f64::from(u8::from(answer == accepted));
    }
    let mut left: HashMap<&str, usize> = HashMap::new();
    for &word in &wanted {
        *left.entry(word).or_default() += 1;
    }
    let mut common = 0;
    for word in &said {
        if let Some(count) = left.get_mut(word).filter(|count| **count > 0) {
            *count -= 1;
            common += 1;
        }
    }
    if common == 0 {
        return 0.0;
    }
    let (precision, recall) = (common as f64 / said.len() as f64, common as f64 / wanted.len() as f64);
    2.0 * precision * recall / (precision + recall)
}

/// A mean with the 95% interval of 2,000 bootstrap samples (percentiles), always drawn alike.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Mean {
    /// Of all.
    pub mean: f64,
    /// The 2.5th percentile.
    pub low: f64,
    /// The 97.5th percentile.
    pub high: f64,
}

impl Mean {
    /// Of some values, in percent.
    pub fn percent(values: &[f64]) -> Self {
        const SAMPLES: usize = 2000;
        let count = values.len();
        let mean = |sum: f64| 100.0 * sum / count as f64;
        if count == 0 {
            return Mean { mean: f64::NAN, low: f64::NAN, high: f64::NAN };
        }
        // Steele, Lea and Flood's SplitMix64.
        let mut state = 0_u64;
        let mut draw = || {
            state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mixed = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            ((mixed ^ (mixed >> 31)) % count as u64) as usize
        };
        let mut means: Vec<f64> =
            (0..SAMPLES).map(|_| mean((0..count).map(|_| values[draw()]).sum())).collect();
        means.sort_by(f64::total_cmp);
        let at = |share: f64| means[((SAMPLES - 1) as f64 * share).round() as usize];
        Mean { mean: mean(values.iter().sum()), low: at(0.025), high: at(0.975) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(list: &[&str]) -> Vec<String> {
        list.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn answers_are_compared_as_squad_does() {
        assert_eq!(normalise("The  Tank, is (an) EMPTY one."), "tank is empty one");
        assert_eq!(exact("the tank.", &accepted(&["Tank", "bowl"])), 1.0);
        assert_eq!(exact("", &[]), 1.0);
        assert_eq!(f1("tank", &[]), 0.0);
        assert_eq!(f1("", &accepted(&["tank"])), 0.0);
        // 2 words in common of 3 said and 4 wanted.
        let both = 2.0 * (2.0 / 3.0) * (2.0 / 4.0) / (2.0 / 3.0 + 2.0 / 4.0);
        assert!((f1("red red fish", &accepted(&["no", "red fish swim here"])) - both).abs() < 1e-12);
    }

    #[test]
    fn the_interval_is_about_two_standard_errors() {
        let values: Vec<f64> = (0..400).map(|n| f64::from(n % 2)).collect();
        let Mean { mean, low, high } = Mean::percent(&values);
        assert_eq!(mean, 50.0);
        // Standard error 2.5 points.
        assert!((low - 45.0).abs() < 1.0 && (high - 55.0).abs() < 1.0, "{low} {high}");
        assert_eq!(Mean::percent(&values), Mean::percent(&values));
    }
}
