//! The span decoder: how likely each span of a passage is as the answer.
//!
//! The paths of the [automaton](super::automaton) are searched best first, by their probability and by how much the question has raised
//! that of their first token: what is as likely without one, such as an article, is likely for no reason of the question's. A path that stands at one place only is run to its end in
//! one batch, so that every span with that beginning is scored at once; one that stands at several is run for a token, whose
//! successors part it. The cache keeps frame, passage and question: a path costs no more than its own tokens.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap, HashMap};

use super::AskError;
use super::automaton::{Automaton, Closers, Place};
use super::frame::Frame;
use crate::session::Session;
use crate::tokenizer::EncodeOptions;

/// Tokens of an answer, at most.
pub(super) const LONGEST_ANSWER: usize = 16;
/// Paths of one passage that are run to their ends, at most.
const RUNS: usize = 8;
/// Paths of one passage that are parted by a further token, at most.
const PARTS: usize = 8;
/// Weight of what the question adds to a path's first token against the path's probability, where it is chosen which path is run.
const ASKED: f64 = 0.5;
/// A path is left when it promises less than the best answer by this factor's logarithm.
const MARGIN: f64 = 4.0;
/// Tokens of a path that are run at once: in between it may be left.
const STEP: usize = 5;
/// Successors of a path that stands at several places.
const BRANCHES: usize = 6;

/// A span with what the model thinks of it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Candidate {
    /// First byte within the passage as shown.
    pub start: usize,
    /// Byte behind it.
    pub end: usize,
    /// Tokens that it was said in.
    pub tokens: usize,
    /// Log-probability among all that the model could say, the end of the answer included.
    pub logprob: f64,
    /// Log-probability among spans and the null answer only.
    pub constrained: f64,
    /// Log-probability of its first token, and of the same without a question.
    pub first: f64,
    /// See `first`.
    pub first_unasked: f64,
}

/// What came of a passage.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Reading {
    /// Spans, the likeliest first.
    pub candidates: Vec<Candidate>,
    /// Log-probability that there is no answer.
    pub null: f64,
    /// The same among spans and the null answer only, of its first token.
    pub null_constrained: f64,
    /// The same without a question.
    pub null_unasked: f64,
    /// Mean log-probability of the question's tokens behind the passage.
    pub question: f64,
}

/// A path through the automaton that has not been run.
struct Path {
    tokens: Vec<u32>,
    places: Vec<Place>,
    logprob: f64,
    constrained: f64,
    first: f64,
    first_unasked: f64,
    /// What the words say for it.
    prior: f64,
}

impl Path {
    /// What paths are chosen by: the logarithm of the probability, and what the question adds.
    fn promise(&self) -> f64 {
        self.logprob + self.lift()
    }

    fn lift(&self) -> f64 {
        ASKED * (self.first - self.first_unasked) + self.prior
    }
}

impl PartialEq for Path {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Path {}

impl PartialOrd for Path {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Path {
    fn cmp(&self, other: &Self) -> Ordering {
        // Of equally promising ones the first in the passage.
        let begins = |path: &Path| path.places.first().map_or(usize::MAX, |place| place.start);
        self.promise().total_cmp(&other.promise()).then_with(|| begins(other).cmp(&begins(self)))
    }
}

/// `ln Σ exp(x)`; terms that are less than a part in 10^9 are left out.
fn log_sum_exp(logits: impl Iterator<Item = f32> + Clone) -> f64 {
    let largest = logits.clone().fold(f32::NEG_INFINITY, f32::max);
    let total: f64 = logits.map(|x| x - largest).filter(|&x| x > -30.0).map(|x| f64::from(x.exp())).sum();
    f64::from(largest) + total.ln()
}

fn log_add(a: f64, b: f64) -> f64 {
    let (low, high) = if a < b { (a, b) } else { (b, a) };
    if low == f64::NEG_INFINITY { high } else { high + (low - high).exp().ln_1p() }
}

fn logit(row: &[f32], id: u32) -> f32 {
    row.get(id as usize).copied().unwrap_or(f32::NEG_INFINITY)
}

/// What paths are searched in.
struct Asked<'a> {
    prompt: &'a [u32],
    passage: &'a str,
    automaton: &'a Automaton,
    /// What the words say for an answer that begins at a byte, by each byte.
    prior: &'a [f64],
}

impl Asked<'_> {
    fn prior(&self, places: &[Place]) -> f64 {
        let of = |place: &Place| self.prior.get(place.start).copied().unwrap_or_default();
        places.iter().map(of).fold(f64::NEG_INFINITY, f64::max)
    }
}

/// What a row of logits says about how an answer goes on.
struct Row {
    /// Of all tokens.
    all: f64,
    line: f64,
    stop: f64,
}

impl Row {
    fn of(logits: &[f32], closers: &Closers) -> Self {
        Row {
            all: log_sum_exp(logits.iter().copied()),
            line: log_sum_exp(closers.line.iter().map(|&id| logit(logits, id))),
            stop: log_sum_exp(closers.stop.iter().map(|&id| logit(logits, id))),
        }
    }
}

/// Everything that a passage is read with.
pub struct Reader<'a> {
    /// The model.
    pub session: &'a mut Session,
    /// What ends an answer.
    pub closers: &'a Closers,
    /// What stands around the passage and the question.
    pub frame: &'a Frame,
    /// What is asked.
    pub question: &'a str,
}

impl Reader<'_> {
    fn prompt(&self, passage: &str, question: &str) -> Result<Vec<u32>, AskError> {
        self.frame.prompt(self.session.tokenizer(), passage, question)
    }

    fn plain(&self, text: &str) -> Result<Vec<u32>, AskError> {
        let options = EncodeOptions { add_special: false, parse_special: false };
        Ok(self.session.tokenizer().encode(text, options).map_err(crate::session::SessionError::from)?)
    }

    /// Scores the spans of a passage.
    ///
    /// # Errors
    /// A question that leaves no room in the context, a failing run, or an abort.
    pub async fn read(
        &mut self,
        passage: &str,
        automaton: &Automaton,
        prior: &dyn Fn(usize) -> f64,
    ) -> Result<Reading, AskError> {
        let mut begins = vec![f64::NAN; passage.len()];
        for (_, places) in automaton.starts() {
            for place in places {
                if let Some(known) = begins.get_mut(place.start).filter(|known| known.is_nan()) {
                    *known = prior(place.start);
                }
            }
        }

        let prompt = self.prompt(passage, self.question)?;
        let unasked = self.prompt(passage, "")?;
        let nothing = self.prompt("", "")?;
        let (needed, holds) = (prompt.len() + LONGEST_ANSWER + 1, self.session.info().context);
        if needed > holds {
            return Err(AskError::Context { needed, context: holds });
        }
        let null = self.plain(&self.frame.no_answer())?;
        let null_first = null.first().copied().unwrap_or_default();
        // Without a question: what the passage makes likely by itself.
        let mut before: HashMap<u32, f64> = HashMap::new();
        let mut reading = Reading::default();
        self.session
            .logits_along(&unasked, unasked.len() - 1, |_, row| {
                let all = log_sum_exp(row.iter().copied());
                before = automaton
                    .starts()
                    .iter()
                    .map(|(id, _)| (*id, f64::from(logit(row, *id)) - all))
                    .collect();
                reading.null_unasked = f64::from(logit(row, null_first)) - all;
            })
            .await?;
        // The question's own tokens are scored on the way to its answer.
        let first = common(unasked.iter(), prompt.iter()).max(1);
        let last = (prompt.len() - common(unasked.iter().rev(), prompt.iter().rev())).max(first);
        let (mut total, mut scored) = (0.0, 0);
        let mut paths = Vec::new();
        let mut null_first_logprob = 0.0;
        self.session
            .logits_along(&prompt, first - 1, |index, row| {
                let all = log_sum_exp(row.iter().copied());
                if index + 1 < last {
                    total += f64::from(logit(row, prompt[index + 1])) - all;
                    scored += 1;
                }
                if index + 1 < prompt.len() {
                    return;
                }
                let starts = automaton.starts().iter().map(|(id, _)| logit(row, *id));
                let allowed = log_sum_exp(starts.chain([logit(row, null_first)]));
                null_first_logprob = f64::from(logit(row, null_first)) - all;
                reading.null_constrained = f64::from(logit(row, null_first)) - allowed;
                for (id, places) in automaton.starts() {
                    let at = f64::from(logit(row, *id));
                    paths.push(Path {
                        tokens: vec![*id],
                        places: places.clone(),
                        logprob: at - all,
                        constrained: at - allowed,
                        first: at - all,
                        first_unasked: before.get(id).copied().unwrap_or(at - all),
                        prior: 0.0,
                    });
                }
            })
            .await?;
        // Where the frame and the passage end.
        let passage_end = first - 1;
        let framed = common(nothing.iter(), prompt.iter()).min(passage_end);
        self.session.keep_prefix(&prompt[..framed], 0).await?;
        self.session.keep_prefix(&prompt[..passage_end], framed).await?;
        reading.question = total / f64::from(scored.max(1));
        reading.null = null_first_logprob + self.rest(&prompt, &null).await?;
        let asked = Asked { prompt: &prompt, passage, automaton, prior: &begins };
        let paths = paths.into_iter().map(|path| Path { prior: asked.prior(&path.places), ..path }).collect();
        reading.candidates = self.search(&asked, paths).await?;
        Ok(reading)
    }

    /// Log-probability of an answer's tokens behind its first, and of its end.
    async fn rest(&mut self, prompt: &[u32], answer: &[u32]) -> Result<f64, AskError> {
        let sequence = [prompt, answer].concat();
        let closers = self.closers;
        let mut total = 0.0;
        self.session
            .logits_along(&sequence, prompt.len(), |index, logits| {
                let row = Row::of(logits, closers);
                total += match sequence.get(index + 1) {
                    Some(&next) => f64::from(logit(logits, next)),
                    None => log_add(row.line, row.stop),
                } - row.all;
            })
            .await?;
        Ok(total)
    }

    async fn search(
        &mut self,
        asked: &Asked<'_>,
        mut paths: BinaryHeap<Path>,
    ) -> Result<Vec<Candidate>, AskError> {
        let mut found: HashMap<(usize, usize), Candidate> = HashMap::new();
        let mut best = f64::NEG_INFINITY;
        let (mut runs, mut parts) = (0, 0);
        while runs < RUNS
            && parts < PARTS
            && let Some(path) = paths.pop()
        {
            if path.promise() < best - MARGIN {
                break;
            }
            let lift = path.lift();
            let reached = best - lift;
            let mut keep = |candidate: Candidate| {
                best = best.max(candidate.logprob + lift);
                let known = found.entry((candidate.start, candidate.end)).or_insert(candidate);
                if candidate.logprob > known.logprob {
                    *known = candidate;
                }
            };
            match path.places[..] {
                [place] => {
                    runs += 1;
                    self.run_to_end(asked, &path, place, reached).await?.into_iter().for_each(&mut keep);
                }
                _ => {
                    parts += 1;
                    let (ended, further) = self.part(asked, &path).await?;
                    ended.into_iter().for_each(&mut keep);
                    paths.extend(further);
                }
            }
        }
        let mut candidates: Vec<Candidate> = found.into_values().collect();
        candidates.sort_by(|a, b| {
            b.logprob.total_cmp(&a.logprob).then(a.start.cmp(&b.start)).then(a.end.cmp(&b.end))
        });
        Ok(candidates)
    }

    /// The tokens from a place to the end of its sentence, as the tokenizer would write them.
    fn forced(
        &self,
        passage: &str,
        automaton: &Automaton,
        place: Place,
        most: usize,
    ) -> Result<Vec<(u32, usize)>, AskError> {
        let rest = passage.as_bytes().get(place.at..automaton.limit(place.start)).unwrap_or_default();
        // A token may end within a character; what is left of it has tokens of its own.
        let begin = (0..rest.len()).find(|&at| passage.is_char_boundary(place.at + at)).unwrap_or(rest.len());
        let text = passage.get(place.at + begin..place.at + rest.len()).unwrap_or_default();
        let mut tokens = Vec::new();
        let mut at = place.at;
        if begin == 0 {
            for id in self.plain(text)? {
                let Some((_, next)) = automaton.next(Place { at, ..place }).find(|(token, _)| *token == id)
                else {
                    break;
                };
                tokens.push((id, next.at));
                at = next.at;
                if tokens.len() == most {
                    return Ok(tokens);
                }
            }
        }
        // Where the tokenizer has other ideas, such as a space in front: the longest token that fits.
        while tokens.len() < most {
            let longest = automaton
                .next(Place { at, ..place })
                .max_by_key(|(id, next)| (next.at, std::cmp::Reverse(*id)));
            let Some((id, next)) = longest else { break };
            tokens.push((id, next.at));
            at = next.at;
        }
        Ok(tokens)
    }

    /// Runs a path on to the end of its sentence, or until it is too unlikely to come near the `best`: all spans that begin as it does.
    async fn run_to_end(
        &mut self,
        asked: &Asked<'_>,
        path: &Path,
        place: Place,
        best: f64,
    ) -> Result<Vec<Candidate>, AskError> {
        let &Asked { prompt, passage, automaton, .. } = asked;
        let forced = self.forced(passage, automaton, place, LONGEST_ANSWER - path.tokens.len())?;
        let from = prompt.len() + path.tokens.len();
        let sequence: Vec<u32> =
            prompt.iter().chain(&path.tokens).copied().chain(forced.iter().map(|(id, _)| *id)).collect();
        let closers = self.closers;
        let (mut logprob, mut constrained, mut at) = (path.logprob, path.constrained, place.at);
        let mut candidates: Vec<Candidate> = Vec::new();
        let mut next = from - 1;
        while next < sequence.len() {
            let reached = candidates.iter().map(|candidate| candidate.logprob).fold(best, f64::max);
            if logprob < reached - MARGIN {
                break;
            }
            let until = sequence.len().min(next + STEP);
            let part = sequence.get(..until).unwrap_or_default();
            self.session
                .logits_along(part, next, |index, logits| {
                    let row = Row::of(logits, closers);
                    let here = Place { at, ..place };
                    let end = end_of_answer(&row, passage, at);
                    let allowed: Vec<f32> = automaton.next(here).map(|(id, _)| logit(logits, id)).collect();
                    let allowed = log_add(log_sum_exp(allowed.into_iter()), end);
                    let said = index + 1 - from;
                    if at > place.start && automaton.may_end(at) {
                        candidates.push(Candidate {
                            start: place.start,
                            end: at,
                            tokens: path.tokens.len() + said,
                            logprob: logprob + end - row.all,
                            constrained: constrained + end - allowed,
                            first: path.first,
                            first_unasked: path.first_unasked,
                        });
                    }
                    if let Some(&(id, next)) = forced.get(said) {
                        logprob += f64::from(logit(logits, id)) - row.all;
                        constrained += f64::from(logit(logits, id)) - allowed;
                        at = next;
                    }
                })
                .await?;
            next = until;
        }
        Ok(candidates)
    }

    /// Runs a path that stands at several places for one token.
    async fn part(
        &mut self,
        asked: &Asked<'_>,
        path: &Path,
    ) -> Result<(Vec<Candidate>, Vec<Path>), AskError> {
        let &Asked { prompt, passage, automaton, .. } = asked;
        let sequence = [prompt, path.tokens.as_slice()].concat();
        let closers = self.closers;
        let (mut ended, mut further) = (Vec::new(), Vec::new());
        let mut successors: BTreeMap<u32, Vec<Place>> = BTreeMap::new();
        for &place in &path.places {
            for (id, next) in automaton.next(place) {
                successors.entry(id).or_default().push(next);
            }
        }
        self.session
            .logits_along(&sequence, sequence.len() - 1, |_, logits| {
                let row = Row::of(logits, closers);
                let tokens: Vec<f32> = successors.keys().map(|&id| logit(logits, id)).collect();
                let allowed = log_add(log_sum_exp(tokens.into_iter()), log_add(row.line, row.stop));
                for &place in
                    path.places.iter().filter(|place| place.at > place.start && automaton.may_end(place.at))
                {
                    let end = end_of_answer(&row, passage, place.at);
                    ended.push(Candidate {
                        start: place.start,
                        end: place.at,
                        tokens: path.tokens.len(),
                        logprob: path.logprob + end - row.all,
                        constrained: path.constrained + end - allowed,
                        first: path.first,
                        first_unasked: path.first_unasked,
                    });
                }
                if path.tokens.len() == LONGEST_ANSWER {
                    return;
                }
                for (&id, places) in &successors {
                    let at = f64::from(logit(logits, id));
                    further.push(Path {
                        tokens: path.tokens.iter().copied().chain([id]).collect(),
                        places: places.clone(),
                        prior: asked.prior(places),
                        logprob: path.logprob + at - row.all,
                        constrained: path.constrained + at - allowed,
                        first: path.first,
                        first_unasked: path.first_unasked,
                    });
                }
            })
            .await?;
        further.sort_by(|a, b| b.cmp(a));
        further.truncate(BRANCHES);
        Ok((ended, further))
    }
}

/// How many tokens two texts begin with alike.
fn common<'a>(a: impl Iterator<Item = &'a u32>, b: impl Iterator<Item = &'a u32>) -> usize {
    a.zip(b).take_while(|(a, b)| a == b).count()
}

/// Logit of the end of an answer: a line break, or a full stop where the passage's own stop is no part of a number or name.
fn end_of_answer(row: &Row, passage: &str, at: usize) -> f64 {
    let mut behind = passage.get(at..).unwrap_or_default().chars();
    let within = behind.next() == Some('.') && behind.next().is_some_and(char::is_alphanumeric);
    if within { row.line } else { log_add(row.line, row.stop) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_exponentials_are_those_of_the_definition() {
        let logits = [1.0_f32, -2.0, 3.5];
        let expected = logits.iter().map(|&x| f64::from(x).exp()).sum::<f64>().ln();
        assert!((log_sum_exp(logits.into_iter()) - expected).abs() < 1e-6);
        assert!((log_add(1.0, log_add(-2.0, 3.5)) - expected).abs() < 1e-12);
        assert_eq!(log_sum_exp(std::iter::empty()), f64::NEG_INFINITY);
        assert_eq!(log_add(f64::NEG_INFINITY, 2.0), 2.0);
    }

    #[test]
    fn a_stop_within_a_number_is_no_end() {
        let row = Row { all: 0.0, line: -3.0, stop: -1.0 };
        assert_eq!(end_of_answer(&row, "4.0 billion.", 1), -3.0);
        assert!(end_of_answer(&row, "4.0 billion.", 11) > -1.0);
    }
}
