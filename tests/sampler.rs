//! The sampler against a plain reference that sorts everything, its frequencies against the distribution
//! they should have, and its random numbers against Random123's published answers.

mod tokenizer_support;

use rushlight::sampler::noise::{MAX_GUMBEL, Noise, philox4x32_10};
use rushlight::sampler::{Sampler, SamplerError, Settings, logprobs};
use tokenizer_support::{Random, Stopwatch};

/// Logits between -8 and 8, on a grid coarse enough for ties when `ties`.
fn random_logits(random: &mut Random, count: usize, ties: bool) -> Vec<f32> {
    (0..count)
        .map(|_| {
            let unit = random.below(1 << 20) as f32 / (1 << 20) as f32 * 16.0 - 8.0;
            if ties { (unit * 2.0).round() / 2.0 } else { unit }
        })
        .collect()
}

/// Bias and penalties by the book.
fn adjusted(logits: &[f32], history: &[u32], settings: &Settings) -> Vec<f32> {
    let mut logits = logits.to_vec();
    for &(id, bias) in &settings.logit_bias {
        logits[id as usize] += bias;
    }
    let recent: Vec<u32> = history.iter().rev().take(settings.penalty_window).copied().collect();
    for (id, logit) in logits.iter_mut().enumerate() {
        let count = recent.iter().filter(|&&recent| recent as usize == id).count();
        if count > 0 {
            *logit = if *logit > 0.0 {
                *logit / settings.repetition_penalty
            } else {
                *logit * settings.repetition_penalty
            };
            *logit -= count as f32 * settings.frequency_penalty + settings.presence_penalty;
        }
    }
    logits
}

/// What top-k, top-p and min-p leave, best first: everything sorted, every probability computed.
fn kept(logits: &[f32], settings: &Settings) -> Vec<u32> {
    let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
    let logit = |id: u32| logits[id as usize];
    ids.sort_by(|&a, &b| logit(b).partial_cmp(&logit(a)).unwrap().then(a.cmp(&b)));
    if settings.top_k > 0 {
        ids.truncate(settings.top_k);
    }
    let best = logit(ids[0]);
    let weight = |id: u32| f64::from(logit(id) - best).exp();
    if settings.top_p < 1.0 {
        let total: f64 = ids.iter().map(|&id| weight(id)).sum();
        let mut sum = 0.0;
        let enough = ids.iter().position(|&id| {
            sum += weight(id);
            sum / total >= f64::from(settings.top_p)
        });
        ids.truncate(enough.map_or(ids.len(), |last| last + 1));
    }
    if settings.min_p > 0.0 {
        ids.retain(|&id| logit(id) - best >= settings.min_p.ln());
    }
    ids
}

/// Softmax of the kept logits at the temperature.
fn distribution(logits: &[f32], settings: &Settings) -> Vec<f64> {
    let mut probabilities = vec![0.0; logits.len()];
    for id in kept(logits, settings) {
        probabilities[id as usize] = (f64::from(logits[id as usize]) / f64::from(settings.temperature)).exp();
    }
    let total: f64 = probabilities.iter().sum();
    probabilities.iter().map(|probability| probability / total).collect()
}

fn random_settings(random: &mut Random, vocab: usize) -> Settings {
    let mut settings = Settings { temperature: 4.0, seed: random.next(), ..Settings::default() };
    if random.below(2) == 0 {
        settings.top_k = 1 + random.below(vocab + 5);
    }
    if random.below(2) == 0 {
        settings.top_p = 0.013 + random.below(97) as f32 / 100.0;
    }
    if random.below(2) == 0 {
        settings.min_p = [0.001, 0.013, 0.21, 0.77][random.below(4)];
    }
    if random.below(2) == 0 {
        settings.repetition_penalty = [0.7, 1.3, 2.0][random.below(3)];
        settings.frequency_penalty = [-0.5, 0.0, 0.75][random.below(3)];
        settings.presence_penalty = [-0.5, 0.0, 1.25][random.below(3)];
        settings.penalty_window = [0, 3, 64][random.below(3)];
    }
    for _ in 0..random.below(3) {
        let bias = [-100.0, -1.5, 2.5, f32::NEG_INFINITY][random.below(4)];
        settings.logit_bias.push((random.below(vocab) as u32, bias));
    }
    settings
}

/// The same id as the reference: of what it keeps, the greatest scaled logit plus noise.
#[test]
fn samples_as_the_reference_does() {
    let mut random = Random(1);
    let mut used = [0; 4];
    for round in 0..1500 {
        let vocab = [2, 7, 300, 3000][round % 4];
        let logits = random_logits(&mut random, vocab, round % 3 == 0);
        let settings = random_settings(&mut random, vocab);
        let history: Vec<u32> = (0..random.below(90)).map(|_| random.below(vocab) as u32).collect();
        let mut sampler = Sampler::new(settings.clone()).unwrap();
        let logits_now = adjusted(&logits, &history, &settings);
        if logits_now.iter().all(|&logit| logit == f32::NEG_INFINITY) {
            assert_eq!(sampler.sample(&logits, &history, 0).unwrap_err().code(), "ERR_NO_CANDIDATES");
            continue;
        }
        let kept = kept(&logits_now, &settings);
        used[usize::from(settings.top_k > 0) + 2 * usize::from(settings.top_p < 1.0)] += 1;
        let best = logits_now[kept[0] as usize];
        for position in [0, 1, u64::from(u32::MAX) + 5] {
            let mut noise = Noise::new(settings.seed, position);
            let mut value =
                |id: u32| (logits_now[id as usize] - best) / settings.temperature + noise.gumbel(id);
            let expected =
                *kept.iter().max_by(|&&a, &&b| value(a).total_cmp(&value(b)).then(b.cmp(&a))).unwrap();
            let got = sampler.sample(&logits, &history, position).unwrap();
            assert_eq!(got, expected, "round {round}, {settings:?}, kept {}", kept.len());
            assert!(kept.contains(&got));
        }
    }
    assert!(used.iter().all(|&times| times > 100), "{used:?}");
}

#[test]
fn greedy_takes_the_greatest_and_of_equals_the_lowest() {
    let mut random = Random(2);
    for round in 0..300 {
        let logits = random_logits(&mut random, 1 + round, true);
        let settings = Settings { repetition_penalty: 1.5, top_k: 3, top_p: 0.2, ..Settings::default() };
        let history: Vec<u32> = (0..random.below(20)).map(|_| random.below(1 + round) as u32).collect();
        for (settings, now) in [
            (Settings::default(), logits.clone()),
            (settings.clone(), adjusted(&logits, &history, &settings)),
        ] {
            let expected =
                (0..now.len()).rev().max_by(|&a, &b| now[a].partial_cmp(&now[b]).unwrap()).unwrap();
            let got = Sampler::new(settings).unwrap().sample(&logits, &history, 9).unwrap();
            assert_eq!(got as usize, expected, "round {round}");
        }
    }
}

/// Pearson's statistic against `expected`, as a standard normal deviate (Wilson and Hilferty). Cells
/// that expect less than 5 draws are taken together.
fn chi_square_deviate(counts: &[u32], expected: &[f64]) -> f64 {
    let draws: u32 = counts.iter().sum();
    let (mut statistic, mut cells) = (0.0, 0);
    let mut rare = (0.0, 0.0);
    for (&count, &probability) in counts.iter().zip(expected) {
        let wanted = probability * f64::from(draws);
        if wanted >= 5.0 {
            statistic += (f64::from(count) - wanted).powi(2) / wanted;
            cells += 1;
        } else {
            rare = (rare.0 + f64::from(count), rare.1 + wanted);
        }
    }
    if rare.1 >= 5.0 {
        statistic += (rare.0 - rare.1).powi(2) / rare.1;
        cells += 1;
    }
    let freedom = f64::from(cells - 1);
    let spread = 2.0 / (9.0 * freedom);
    ((statistic / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

/// One draw at each of 40,000 positions; the test fails where chance would exceed the deviation with
/// p < 1e-4 (3.72 standard deviations). Seeds are fixed, so it passes always or never.
#[test]
fn frequencies_follow_the_distribution() {
    let mut random = Random(3);
    let base = Settings { temperature: 1.0, ..Settings::default() };
    let cases = [
        Settings { ..base.clone() },
        Settings { temperature: 0.5, seed: 1, ..base.clone() },
        Settings { temperature: 2.0, seed: 2, ..base.clone() },
        Settings { top_k: 7, seed: 3, ..base.clone() },
        Settings { top_p: 0.8, seed: 4, ..base.clone() },
        Settings { min_p: 0.05, seed: 5, ..base.clone() },
        Settings { top_k: 20, top_p: 0.9, min_p: 0.02, temperature: 1.7, seed: 6, ..base.clone() },
        Settings { logit_bias: vec![(0, 3.0), (1, f32::NEG_INFINITY)], seed: 7, ..base.clone() },
        Settings {
            repetition_penalty: 1.4,
            frequency_penalty: 0.3,
            presence_penalty: 0.5,
            seed: u64::MAX,
            ..base
        },
    ];
    for settings in cases {
        let logits: Vec<f32> =
            random_logits(&mut random, 61, false).iter().map(|logit| logit / 3.0).collect();
        let history = [3, 5, 5, 8, 60, 3, 3];
        let expected = distribution(&adjusted(&logits, &history, &settings), &settings);
        let mut sampler = Sampler::new(settings.clone()).unwrap();
        let mut counts = vec![0; logits.len()];
        for position in 0..40_000 {
            counts[sampler.sample(&logits, &history, position).unwrap() as usize] += 1;
        }
        for (id, (&count, &probability)) in counts.iter().zip(&expected).enumerate() {
            assert!(count == 0 || probability > 0.0, "{settings:?} drew the excluded token {id}");
        }
        let deviate = chi_square_deviate(&counts, &expected);
        assert!(deviate < 3.72, "{settings:?}: {deviate} standard deviations");
        // And a wrong distribution would have been noticed.
        let flat = vec![1.0 / logits.len() as f64; logits.len()];
        assert!(chi_square_deviate(&counts, &flat) > 10.0);
    }
}

/// Two positions, two seeds, two neighbouring ids: draws are independent.
#[test]
fn draws_do_not_depend_on_each_other() {
    let logits = [0.0; 4];
    let draws = |seed: u64, from: u64| -> Vec<u32> {
        let mut sampler = Sampler::new(Settings { temperature: 1.0, seed, ..Settings::default() }).unwrap();
        (from..from + 32_000).map(|position| sampler.sample(&logits, &[], position).unwrap()).collect()
    };
    let first = draws(1, 0);
    assert_eq!(first, draws(1, 0));
    for other in [draws(1, 1), draws(2, 0), draws(1 << 32, 0), draws(1, 1 << 32)] {
        let mut counts = [0; 16];
        for (a, b) in first.iter().zip(&other) {
            counts[(a * 4 + b) as usize] += 1;
        }
        let deviate = chi_square_deviate(&counts, &[1.0 / 16.0; 16]);
        assert!(deviate < 3.72, "{deviate}");
    }
}

/// The file `kat_vectors` of Random123 1.14, its three lines for `philox4x32 10`.
#[test]
fn philox_gives_the_published_answers() {
    let cases: [([u32; 4], [u32; 2], [u32; 4]); 3] = [
        ([0; 4], [0; 2], [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]),
        ([u32::MAX; 4], [u32::MAX; 2], [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]),
        (
            [0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344],
            [0xa409_3822, 0x299f_31d0],
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1],
        ),
    ];
    for (counter, key, answer) in cases {
        assert_eq!(philox4x32_10(counter, key), answer);
    }
}

/// The documented mapping, spelled out once more.
#[test]
fn noise_is_what_its_page_says() {
    let (seed, position) = (0x1234_5678_9abc_def0u64, 0x0fed_cba9_8765_4321u64);
    let mut noise = Noise::new(seed, position);
    for id in [0u32, 1, 2, 3, 4, 5, 6, 1, 262_143, u32::MAX] {
        let block = philox4x32_10([id / 4, 0x8765_4321, 0x0fed_cba9, 0], [0x9abc_def0, 0x1234_5678]);
        let uniform = (f64::from(block[(id % 4) as usize] >> 9) + 0.5) / 8_388_608.0;
        assert_eq!(f64::from(noise.uniform(id)), uniform, "exact in f32");
        assert_eq!(noise.gumbel(id), -(-uniform.ln()).ln() as f32);
    }
    // The shortcut never hides a greater one.
    for id in 0..100_000 {
        let gumbel = noise.gumbel(id);
        assert_eq!(noise.gumbel_above(id, gumbel - 1e-4), Some(gumbel));
        if gumbel > 2.0 {
            assert_eq!(noise.gumbel_above(id, gumbel + 1.0), None, "and hides most smaller ones");
        }
    }
    let greatest = -(-(1.0 - 1.0 / f64::from(1 << 24)).ln()).ln();
    assert!(greatest < f64::from(MAX_GUMBEL) && greatest > f64::from(MAX_GUMBEL) - 0.01);
}

#[test]
fn logprobs_are_the_log_softmax() {
    let mut random = Random(5);
    for count in [1, 2, 50, 5000] {
        let logits = random_logits(&mut random, count, count == 50);
        let total: f64 = logits.iter().map(|&logit| f64::from(logit).exp()).sum();
        let expected = |id: u32| f64::from(logits[id as usize]) - total.ln();
        let mut order: Vec<u32> = (0..count as u32).collect();
        order.sort_by(|&a, &b| logits[b as usize].partial_cmp(&logits[a as usize]).unwrap().then(a.cmp(&b)));
        for top_n in [0, 1, 20, count + 3] {
            let asked = random.below(count) as u32;
            let got = logprobs(&logits, asked, top_n).unwrap();
            assert!((f64::from(got.logprob) - expected(asked)).abs() < 1e-5);
            let ids: Vec<u32> = got.top.iter().map(|&(id, _)| id).collect();
            assert_eq!(ids, order[..top_n.min(count)]);
            assert!(got.top.iter().all(|&(id, logprob)| (f64::from(logprob) - expected(id)).abs() < 1e-5));
        }
    }
    assert!(logprobs(&[0.0, f32::NEG_INFINITY], 1, 2).unwrap().logprob == f32::NEG_INFINITY);
    assert!(logprobs(&[0.0], 1, 1).is_err());
}

#[test]
fn bad_input_is_an_error() {
    type Change = fn(&mut Settings);
    let bad = |change: Change| {
        let mut settings = Settings::default();
        change(&mut settings);
        Sampler::new(settings).unwrap_err()
    };
    let changes: [(&str, Change); 12] = [
        ("temperature", |settings| settings.temperature = f32::NAN),
        ("temperature", |settings| settings.temperature = -0.1),
        ("temperature", |settings| settings.temperature = f32::INFINITY),
        ("top_p", |settings| settings.top_p = 1.01),
        ("top_p", |settings| settings.top_p = -0.01),
        ("top_p", |settings| settings.top_p = f32::NAN),
        ("min_p", |settings| settings.min_p = 2.0),
        ("repetition_penalty", |settings| settings.repetition_penalty = 0.0),
        ("frequency_penalty", |settings| settings.frequency_penalty = f32::INFINITY),
        ("presence_penalty", |settings| settings.presence_penalty = f32::NAN),
        ("logit_bias", |settings| settings.logit_bias = vec![(0, 1.0), (1, f32::NAN)]),
        ("logit_bias", |settings| settings.logit_bias = vec![(0, f32::INFINITY)]),
    ];
    for (name, change) in changes {
        let error = bad(change);
        assert!(matches!(error, SamplerError::BadSetting { setting, .. } if setting == name), "{error}");
        assert_eq!(error.code(), "ERR_BAD_SETTING");
    }
    for temperature in [0.0, 1.0] {
        let settings = Settings { temperature, ..Settings::default() };
        let mut sampler = Sampler::new(settings.clone()).unwrap();
        let mut code = |logits: &[f32]| sampler.sample(logits, &[], 0).unwrap_err().code();
        assert_eq!(code(&[1.0, f32::NAN]), "ERR_BAD_LOGITS");
        assert_eq!(code(&[f32::INFINITY, 0.0]), "ERR_BAD_LOGITS");
        assert_eq!(code(&[f32::NEG_INFINITY; 3]), "ERR_NO_CANDIDATES");
        assert_eq!(code(&[]), "ERR_NO_CANDIDATES");
        let mut biased = Sampler::new(Settings { logit_bias: vec![(9, 1.0)], ..settings }).unwrap();
        assert_eq!(biased.sample(&[0.0; 9], &[], 0).unwrap_err().code(), "ERR_BAD_LOGIT_BIAS");
        // History from before a change of model must not break anything.
        let mut penalised =
            Sampler::new(Settings { temperature, repetition_penalty: 2.0, ..Settings::default() }).unwrap();
        assert_eq!(penalised.sample(&[5.0, -9.0], &[7, 7, 1], 0).unwrap(), 0);
    }
}

/// Sampling may take a small part of the time of a token.
#[test]
fn sampling_a_large_vocabulary_is_fast() {
    let logits = random_logits(&mut Random(6), 262_144, false);
    let base = Settings { temperature: 0.8, ..Settings::default() };
    let cases = [
        ("greedy", Settings::default()),
        ("temperature", base.clone()),
        ("top-k", Settings { top_k: 40, ..base.clone() }),
        ("top-p", Settings { top_p: 0.95, ..base.clone() }),
        ("min-p", Settings { min_p: 0.05, ..base.clone() }),
        ("all", Settings { top_k: 40, top_p: 0.95, min_p: 0.05, repetition_penalty: 1.1, ..base }),
    ];
    for (name, settings) in cases {
        let mut sampler = Sampler::new(settings).unwrap();
        let best = (0..10)
            .map(|position| {
                let start = Stopwatch::start();
                sampler.sample(&logits, &[1, 2, 3], position).unwrap();
                start.elapsed()
            })
            .min()
            .unwrap();
        println!("{name}: {best:?}");
        // Several times what it takes alone, since tests share the machine. Top-p over flat random logits
        // keeps tens of thousands: its worst case.
        let limit = if name == "top-p" { 100 } else { 20 };
        assert!(best.as_millis() < limit, "{name}: {best:?}");
    }
}
