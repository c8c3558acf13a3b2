//! Sessions on small random models: what ends an answer, what is shown of it, what a seed promises, what an abort leaves
//! behind. Loading has a file of its own, `session_load.rs`.

mod session_support;
mod small;

use rushlight::session::{
    CancelFlag, Embedder, Event, Finish, GenerateOptions, Host, LoadOptions, Loader, MAX_CHUNK, Session,
    SessionError, SpanReader,
};
use rushlight::tokenizer::EncodeOptions;
use session_support::{
    answer, breaths, cancel_after, drive, file, load, longest_without_breath, options, sampling, session,
    slow_host,
};
use small::bert::bert;

const PROMPT: &str = "the capital of France is";
/// One of each kind of vocabulary, small enough for hundreds of answers.
const MODELS: [&str; 2] = ["gemma3-f32-64", "qwen2-bf16-64"];

fn tokens(count: usize) -> GenerateOptions {
    GenerateOptions { max_tokens: Some(count), ignore_eos: true, ..GenerateOptions::default() }
}

fn prompt_ids(session: &Session) -> Vec<u32> {
    let options = EncodeOptions { add_special: true, parse_special: true };
    session.tokenizer().encode(PROMPT, options).expect("any text encodes")
}

#[test]
fn shown_text_is_the_decoded_answer() {
    for name in MODELS {
        let mut session = session(name);
        let prompt = prompt_ids(&session);
        for seed in 0..30 {
            let options = GenerateOptions { sampling: sampling(seed), ..tokens(40) };
            let answer = answer(&mut session, PROMPT, options);
            assert_eq!(answer.pieces.len(), 40);
            let all = [prompt.clone(), answer.ids()].concat();
            let decode = |ids: &[u32]| session.tokenizer().decode(ids, true).expect("its own ids decode");
            assert_eq!(decode(&prompt) + &answer.text(), decode(&all), "{name}, seed {seed}");
        }
    }
}

#[test]
fn stop_texts_end_the_answer_and_are_never_shown() {
    for name in MODELS {
        let mut session = session(name);
        let run = |session: &mut Session, stop: Vec<String>| {
            answer(session, PROMPT, GenerateOptions { sampling: sampling(5), stop, ..tokens(24) })
        };
        let whole = run(&mut session, Vec::new());
        let text = whole.text();
        let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let mut across_tokens = 0;
        for (index, &from) in starts.iter().enumerate().skip(2) {
            // Lengths of 1 to 9 characters: within tokens, and over the borders of several.
            let Some(&to) = starts.get(index + 1 + index % 9) else { continue };
            let stop = &text[from..to];
            let expected = &text[..text.find(stop).expect("a part of the text")];
            let stopped = run(&mut session, vec!["never written".to_owned(), stop.to_owned()]);
            assert_eq!(stopped.finish(), Finish::StopText, "{name}: {stop:?}");
            assert_eq!(stopped.text(), expected, "{name}: {stop:?}");
            assert_eq!(stopped.rest, "", "{name}: {stop:?}: what was held back is not shown");
            assert_eq!(stopped.ids(), whole.ids()[..stopped.pieces.len()], "{name}: {stop:?}");
            assert_eq!(stopped.stats.tokens, stopped.pieces.len());
            let last = &whole.pieces[stopped.pieces.len() - 1].text;
            across_tokens += usize::from(!last.contains(stop));
        }
        assert!(across_tokens > 5, "{name}: {across_tokens} stop texts cross a border");

        // What could have become a stop text but did not is shown at the end.
        let tail: String = text.chars().skip(text.chars().count() - 2).chain(['Z', 'Z']).collect();
        let unstopped = run(&mut session, vec![tail]);
        assert_eq!((unstopped.finish(), unstopped.text()), (Finish::Length, text), "{name}");
        assert!(!unstopped.rest.is_empty(), "{name}: the end was held back");
    }
}

#[test]
fn end_tokens_end_the_answer_and_are_no_part_of_it() {
    let mut session = session("gemma3-f32-64");
    let whole = answer(&mut session, PROMPT, GenerateOptions { sampling: sampling(1), ..tokens(20) });
    let stop = whole.ids()[12];
    let before = whole.ids().iter().position(|&id| id == stop).expect("it is there");
    let options = GenerateOptions { sampling: sampling(1), stop_ids: vec![stop], ..tokens(20) };
    let stopped = answer(&mut session, PROMPT, options);
    assert_eq!((stopped.finish(), stopped.ids()), (Finish::EndToken, whole.ids()[..before].to_vec()));

    // Nothing but the end token can be picked.
    let eos = session.tokenizer().eos().expect("the vocabulary has one");
    let mut forced = sampling(1);
    forced.logit_bias = vec![(eos, 1e4)];
    let options = GenerateOptions { sampling: forced.clone(), ignore_eos: false, ..tokens(3) };
    let ended = answer(&mut session, PROMPT, options);
    assert_eq!((ended.finish(), ended.stats.tokens, ended.text()), (Finish::EndToken, 0, String::new()));
    let ignored = answer(&mut session, PROMPT, GenerateOptions { sampling: forced, ..tokens(3) });
    assert_eq!((ignored.finish(), ignored.ids()), (Finish::Length, vec![eos; 3]));
    assert_eq!(ignored.text(), "", "special tokens are not shown");
}

#[test]
fn answers_are_as_long_as_was_asked_or_as_fits() {
    let mut session =
        load(&[file("llama-f16-64-factors")], LoadOptions { context: Some(32), ..options() }, Host::native())
            .expect("the model loads");
    let prompt = prompt_ids(&session).len();
    let none = answer(&mut session, PROMPT, tokens(0));
    assert_eq!((none.finish(), none.stats.tokens, none.stats.prompt_tokens), (Finish::Length, 0, prompt));
    for (max_tokens, finish) in
        [(Some(1), Finish::Length), (Some(32 - prompt), Finish::Length), (None, Finish::Context)]
    {
        let options = GenerateOptions { max_tokens, ..tokens(0) };
        let answer = answer(&mut session, PROMPT, options);
        assert_eq!((answer.finish(), answer.stats.tokens), (finish, max_tokens.unwrap_or(32 - prompt)));
    }

    let refused = |session: &mut Session, ids: Vec<u32>, max_tokens| {
        let error =
            session.start_ids(ids, GenerateOptions { max_tokens, ..tokens(0) }).expect_err("too long");
        assert_eq!(pollster::block_on(session.next()).expect("no run was begun"), None);
        (error.code(), error.to_string())
    };
    let (code, message) = refused(&mut session, vec![7; 32], Some(0));
    assert!(code == "ERR_CONTEXT" && message.contains("33") && message.contains("32"), "{code} {message}");
    let (code, message) = refused(&mut session, vec![7; 20], Some(13));
    assert!(code == "ERR_CONTEXT" && message.contains("33") && message.contains("32"), "{code} {message}");
    assert_eq!(refused(&mut session, vec![7; 20], Some(usize::MAX)).0, "ERR_CONTEXT");
    assert_eq!(refused(&mut session, Vec::new(), None).0, "ERR_BAD_ARGUMENT");
    assert_eq!(refused(&mut session, vec![331], None).0, "ERR_BAD_ARGUMENT");
    let empty_stop = GenerateOptions { stop: vec![String::new()], ..tokens(3) };
    session.start_ids(vec![7], empty_stop).expect_err("every text has an empty one in it");
}

/// `ln` of the softmax of a token, in f64.
fn log_softmax(logits: &[f32], id: u32) -> f64 {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let sum: f64 = logits.iter().map(|&logit| f64::from(logit - largest).exp()).sum();
    f64::from(logits[id as usize] - largest) - sum.ln()
}

#[test]
fn logprobs_are_of_the_raw_distribution() {
    let mut session = session("llama-f16-64-factors");
    let all = session.tokenizer().vocab_size() as usize;
    let mut biased = sampling(3);
    biased.logit_bias = vec![(65, 4.0)];
    biased.top_k = 20;
    for (sampling, count) in [(GenerateOptions::default().sampling, all), (biased, all), (sampling(4), 5)] {
        let options = GenerateOptions { sampling, logprobs: Some(count), ..tokens(8) };
        let answer = answer(&mut session, PROMPT, options);
        let mut ids = prompt_ids(&session);
        for piece in &answer.pieces {
            let logits = pollster::block_on(session.logits(&ids, MAX_CHUNK)).expect("the run succeeds");
            let near = |got: f32, id: u32| {
                let expected = log_softmax(&logits, id);
                assert!((f64::from(got) - expected).abs() < 1e-4, "{id}: {got}, not {expected}");
            };
            near(piece.logprob.expect("was asked for"), piece.id);
            assert_eq!(piece.top.len(), count);
            for top in &piece.top {
                near(top.logprob, top.id);
            }
            assert!(piece.top.windows(2).all(|pair| pair[0].logprob >= pair[1].logprob));
            if count == all {
                let sum: f64 = piece.top.iter().map(|top| f64::from(top.logprob).exp()).sum();
                assert!((sum - 1.0).abs() < 1e-4, "{sum}");
            }
            ids.push(piece.id);
        }
    }
    let silent = answer(&mut session, PROMPT, GenerateOptions { sampling: sampling(4), ..tokens(2) });
    assert!(silent.pieces.iter().all(|piece| piece.logprob.is_none() && piece.top.is_empty()));
}

#[test]
fn a_seed_gives_one_text_whatever_the_threads_and_chunks() {
    let prompt = "hello of the capital, and ".repeat(12);
    let answers = |threads: usize, step_ms: f64, seed: u64| {
        let options = LoadOptions { threads: Some(threads), ..options() };
        let mut session =
            load(&[file("gemma3-f32-64")], options, slow_host(step_ms)).expect("the model loads");
        // The first answer's slices set the size of the second one's chunks, which run all of the prompt again.
        let options = GenerateOptions { sampling: sampling(seed), reuse: false, ..tokens(20) };
        let mut run = || answer(&mut session, &prompt, options.clone());
        let (first, second) = (run(), run());
        assert_eq!(first.ids(), second.ids(), "the second answer of {threads} threads, {step_ms} ms");
        second.ids()
    };
    let expected = answers(1, 0.0, 7);
    // Slices of 150 ms halve the chunk each time.
    for (threads, step_ms) in [(2, 0.0), (1, 150.0), (2, 150.0)] {
        assert_eq!(answers(threads, step_ms, 7), expected, "{threads} threads, {step_ms} ms a step");
    }
    let others: Vec<_> = (8..12).map(|seed| answers(1, 0.0, seed)).collect();
    assert!(others.iter().all(|other| *other != expected), "other seeds, other texts");
}

#[test]
fn an_abort_is_heard_within_a_slice_and_leaves_a_usable_session() {
    // A step takes a slice, so each breath ends a slice.
    let mut session = load(&[file("gemma3-f32-64")], options(), slow_host(50.0)).expect("the model loads");
    let flag = session.cancel_flag();
    let long = "hello ".repeat(60);
    let expected = answer(&mut session, PROMPT, tokens(6));
    let unaborted = {
        let before = breaths();
        answer(&mut session, &long, tokens(2));
        breaths() - before
    };
    assert!(unaborted > 200, "{unaborted} slices");

    for at in [1, 2, 50, 150] {
        session.start(&long, tokens(2)).expect("the prompt fits");
        let before = breaths();
        cancel_after(at, flag.clone());
        let aborted = drive(&mut session).expect("an abort is no error");
        assert_eq!((aborted.finish(), aborted.pieces.len()), (Finish::Cancelled, 0), "in prefill, at {at}");
        assert_eq!(breaths() - before, at, "not a slice more");
        let again = answer(&mut session, PROMPT, tokens(6));
        assert_eq!(again.ids(), expected.ids(), "after an abort at {at}");
    }

    session.start(PROMPT, tokens(6)).expect("the prompt fits");
    for _ in 0..3 {
        let event = pollster::block_on(session.next()).expect("the run succeeds");
        assert!(matches!(event, Some(Event::Piece(_))));
    }
    let before = breaths();
    cancel_after(5, flag.clone());
    let aborted = drive(&mut session).expect("an abort is no error");
    assert_eq!((aborted.finish(), breaths() - before), (Finish::Cancelled, 5), "in decode");
    assert_eq!(aborted.stats.tokens, 3, "what was written before counts");
    assert_eq!(answer(&mut session, PROMPT, tokens(6)).ids(), expected.ids());

    // Between two tokens no slice runs at all.
    session.start(PROMPT, tokens(6)).expect("the prompt fits");
    pollster::block_on(session.next()).expect("the run succeeds");
    flag.cancel();
    let before = breaths();
    let aborted = drive(&mut session).expect("an abort is no error");
    assert_eq!((aborted.finish(), breaths()), (Finish::Cancelled, before));
    // An old request to stop does not end what is begun after it.
    flag.cancel();
    assert_eq!(answer(&mut session, PROMPT, tokens(6)).ids(), expected.ids());
}

/// A device so fast that no run fills a slice: what many of them take together still lets the event loop run.
#[test]
fn an_abort_is_heard_among_runs_that_are_shorter_than_a_slice() {
    // Some 150 steps of a run look at the clock.
    let mut session = load(&[file("gemma3-f32-64")], options(), slow_host(0.2)).expect("the model loads");
    let flag = session.cancel_flag();
    let ids: Vec<u32> = (0..240).map(|at| 5 + at * 7 % 300).collect();
    let text = "hello the capital of France is ".repeat(30);
    type Work = fn(&mut Session, &[u32], &str) -> Option<SessionError>;
    let work: [(&str, Work); 5] = [
        ("prompt", |session, ids, _| pollster::block_on(session.logits(ids, 4)).err()),
        ("prefill", |session, _, text| pollster::block_on(session.prefill(text)).err()),
        ("score", |session, _, text| pollster::block_on(session.score(text, 24, |_, _| {})).err()),
        ("along", |session, ids, _| pollster::block_on(session.logits_along(ids, 20, |_, _| {})).err()),
        ("answer", |session, _, _| {
            session.start(PROMPT, tokens(100)).expect("the prompt fits");
            let answer = drive(session).expect("an abort is no error");
            let cancelled = SessionError::Cancelled { operation: "answer" };
            (answer.finish() == Finish::Cancelled).then_some(cancelled)
        }),
    ];
    for (what, work) in work {
        longest_without_breath();
        let before = breaths();
        flag.reset();
        let failed = work(&mut session, &ids, &text);
        assert!(failed.is_none(), "{what}: {failed:?}");
        let (breaths_of_it, longest) = (breaths() - before, longest_without_breath());
        assert!(breaths_of_it >= 2 && longest <= 50.0, "{what}: {breaths_of_it} breaths, {longest} ms apart");
        let before = breaths();
        cancel_after(1, flag.clone());
        let failed = work(&mut session, &ids, &text).map(|error| error.code());
        assert_eq!((failed, breaths() - before), (Some("ERR_ABORTED"), 1), "{what}");
    }
}

/// The same of models that make vectors or mark answers.
#[test]
fn encoders_hear_an_abort_among_short_runs() {
    let (files, weights) = bert(&[("qa_outputs.weight", "F32", &[2, 8]), ("qa_outputs.bias", "F32", &[2])]);
    let loader = || {
        pollster::block_on(async {
            let mut loader = Loader::new_safetensors(options(), slow_host(0.5), &files, None).await?;
            loader.push(&weights).await?;
            loader.finish().await
        })
        .expect("the file is sound")
    };
    let check = |what: &str, flag: CancelFlag, work: &mut dyn FnMut() -> Option<SessionError>| {
        longest_without_breath();
        let before = breaths();
        let failed = work();
        assert!(failed.is_none(), "{what}: {failed:?}");
        let (breaths_of_it, longest) = (breaths() - before, longest_without_breath());
        assert!(breaths_of_it > 5 && longest <= 50.0, "{what}: {breaths_of_it} breaths, {longest} ms apart");
        for at in [1, breaths_of_it - 2] {
            let before = breaths();
            cancel_after(at, flag.clone());
            let failed = work().map(|error| error.code());
            assert_eq!((failed, breaths() - before), (Some("ERR_ABORTED"), at), "{what}");
        }
    };
    let mut embedder = Embedder::new(loader()).expect("it makes vectors");
    let texts = ["a b a a b"; 400];
    check("embed", embedder.model().cancel_flag(), &mut || pollster::block_on(embedder.embed(&texts)).err());
    let mut reader = SpanReader::new(loader()).expect("it marks answers");
    let text = "a b b ".repeat(130);
    check("read", reader.model().cancel_flag(), &mut || pollster::block_on(reader.read("b", &text)).err());
}

/// Mean negative log-likelihood of windows, straight from the definition: the logits after each prefix, one prefix at a time.
fn nll_by_prefixes(session: &mut Session, text: &str, context: usize) -> (f64, usize) {
    let plain = EncodeOptions { add_special: false, parse_special: false };
    let ids = session.tokenizer().encode(text, plain).expect("any text encodes");
    let bos: Vec<u32> = session.tokenizer().bos().into_iter().collect();
    let (mut total, mut count) = (0.0, 0);
    for window in ids.chunks_exact(context - 1) {
        let sequence = [bos.as_slice(), window].concat();
        for end in 1..sequence.len() {
            let logits =
                pollster::block_on(session.logits(&sequence[..end], MAX_CHUNK)).expect("the run succeeds");
            total -= log_softmax(&logits, sequence[end]);
            count += 1;
        }
    }
    (total / count as f64, count)
}

#[test]
fn a_score_is_the_mean_over_prefixes() {
    let text = "The capital of France is hello, and the capital of hello is France. ".repeat(2);
    for name in MODELS {
        let mut session = session(name);
        for context in [12, 40] {
            let mut windows = Vec::new();
            let score =
                pollster::block_on(session.score(&text, context, |done, all| windows.push((done, all))))
                    .expect("the text is long enough");
            let (nll, tokens) = nll_by_prefixes(&mut session, &text, context);
            println!("{name}, windows of {context}: {} and {nll}", score.nll);
            assert!((score.nll - nll).abs() < 1e-5, "{name}: {} and {nll}", score.nll);
            assert_eq!(score.tokens, tokens, "{name}");
            assert_eq!(windows.len(), score.windows.len());
            assert_eq!(windows.last(), Some(&(windows.len(), windows.len())));
        }
        let mut refuse = |text: &str, context: usize| {
            let error =
                pollster::block_on(session.score(text, context, |_, _| ())).expect_err("can't be scored");
            assert_eq!(error.code(), "ERR_BAD_ARGUMENT", "{error}");
        };
        refuse(&text, 1);
        refuse(&text, 257);
        refuse("the", 200);
    }
}

#[test]
fn scoring_drops_an_answer_and_forgets_an_old_abort() {
    let mut session = load(&[file("gemma3-f32-64")], options(), slow_host(50.0)).expect("the model loads");
    let text = "the capital of France is hello ".repeat(4);
    let score = |session: &mut Session| {
        pollster::block_on(session.score(&text, 12, |_, _| ())).expect("nobody stopped it").nll
    };
    let expected = score(&mut session);
    session.start(PROMPT, tokens(6)).expect("the prompt fits");
    pollster::block_on(session.next()).expect("the run succeeds");
    session.cancel_flag().cancel();
    assert_eq!(score(&mut session), expected);
    // The caches hold the text's last window now: writing on would continue that.
    assert_eq!(pollster::block_on(session.next()).expect("nothing runs"), None);
}
