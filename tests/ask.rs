//! Questions about documents with the real model: the span decoder's probabilities against plain logits, its offsets, its aborts.

mod common;

use std::time::{Duration, Instant};

use rushlight::plan::Precision;
use rushlight::session::{BackendChoice, LoadOptions, Session};
use rushlight::tasks::ask::frame::Frame;
use rushlight::tasks::ask::read::{Reader, Reading};
use rushlight::tasks::ask::shown::Shown;
use rushlight::tasks::ask::{Answer, AskError, Asking, Library, automaton, frame};
use rushlight::tensor::DType;
use rushlight::tokenizer::EncodeOptions;

const LETTER: &str = "Dear Ms Ödegård, the pump (model “QX-7b”) was tested on 3 May in Tromsø 😀.\nIt moved 41.5 litres a minute.\n\nPlease \
                      replace the seal, part number ZR-118, before winter. The invoice follows.";

fn session() -> Session {
    common::load_with(LoadOptions {
        backend: BackendChoice::Cpu,
        precision: Precision::Exact,
        kv: DType::F32,
        context: Some(1024),
        threads: Some(1),
        ..LoadOptions::default()
    })
}

/// The only passage of a short text, read for a question.
fn read(session: &mut Session, library: &Library, frame: &Frame, question: &str) -> (Shown, Reading) {
    let shown = library.show(&library.passages()[0]).expect("a passage");
    let (automata, closers) =
        automaton::build(session.tokenizer(), std::slice::from_ref(&shown)).expect("an automaton");
    let mut reader = Reader { session, closers: &closers, frame, question };
    let reading = pollster::block_on(reader.read(&shown.text, &automata[0], &|_| 0.0)).expect("it reads");
    (shown, reading)
}

fn log_softmax(logits: &[f32]) -> Vec<f64> {
    let largest = logits.iter().copied().fold(f32::MIN, f32::max);
    let total: f64 = logits.iter().map(|&x| f64::from(x - largest).exp()).sum();
    logits.iter().map(|&x| f64::from(x - largest) - total.ln()).collect()
}

#[test]
fn the_decoder_scores_a_span_as_the_model_does_token_by_token() {
    let mut session = session();
    let library = Library::of(&[LETTER]).expect("a library");
    let (question, before) = ("Which part number does the seal have?", frame::plain_frame());
    let frame = Frame(before.clone());
    let (shown, reading) = read(&mut session, &library, &frame, question);
    let prompt = format!("{before}Context: {}\nQuestion: {question}\nAnswer:", shown.text);
    let options = |add_special| EncodeOptions { add_special, parse_special: false };
    // Everything that an answer may end with, from the tokens' own texts.
    let tokenizer = session.tokenizer();
    let ends: Vec<usize> = (0..tokenizer.vocab_size())
        .filter(|&id| {
            let piece = tokenizer.piece(id).expect("a piece");
            let sign = |byte: &u8| byte.is_ascii() && !byte.is_ascii_alphanumeric();
            tokenizer.is_end_of_generation(id)
                || (!tokenizer.is_special(id)
                    && (piece.starts_with(b"\n") || (piece.starts_with(b".") && piece.iter().all(sign))))
        })
        .map(|id| id as usize)
        .collect();
    let mut compared = 0;
    for text in ["ZR-118", "part number ZR-118"] {
        let at = shown.text.find(text).expect("it stands there");
        let found = reading.candidates.iter().find(|span| (span.start, span.end) == (at, at + text.len()));
        let Some(found) = found else { continue };
        let answer = session.tokenizer().encode(&format!(" {text}"), options(false)).expect("tokens");
        let mut ids = session.tokenizer().encode(&prompt, options(true)).expect("tokens");
        let mut expected = 0.0;
        for &id in &answer {
            let logits = pollster::block_on(session.logits(&ids, 64)).expect("logits");
            expected += log_softmax(&logits)[id as usize];
            ids.push(id);
        }
        let last = log_softmax(&pollster::block_on(session.logits(&ids, 64)).expect("logits"));
        expected += ends.iter().map(|&id| last[id].exp()).sum::<f64>().ln();
        assert!((found.logprob - expected).abs() < 0.02, "{text}: {} and {expected}", found.logprob);
        compared += 1;
    }
    assert!(compared > 0, "{:?}", reading.candidates.iter().take(5).collect::<Vec<_>>());
    let best = reading.candidates[0];
    assert!(best.logprob > reading.null, "it prefers {:?} to none", &shown.text[best.start..best.end]);
    // A second reading finds frame, passage and question in the cache, and the same numbers.
    let (_, again) = read(&mut session, &library, &frame, question);
    for (a, b) in reading.candidates.iter().zip(&again.candidates) {
        assert!((a.start, a.end) == (b.start, b.end) && (a.logprob - b.logprob).abs() < 1e-3, "{a:?} {b:?}");
    }
}

#[test]
fn spans_are_the_document_at_their_offsets() {
    let mut session = session();
    let library = Library::of(&["Nothing of interest here.", LETTER]).expect("a library");
    for (question, wanted) in [
        ("What is the part number of the seal?", "ZR-118"),
        ("Which model is the pump?", "QX-7b"),
        ("How many litres a minute did it move?", "41.5"),
    ] {
        let mut asking = Asking::new(&session, &library, question, None, 3).expect("a question");
        while pollster::block_on(asking.step(&mut session, &library)).expect("it reads") {}
        let ranked = asking.ranked();
        assert!(!ranked.is_empty());
        for span in &ranked {
            let text = ["Nothing of interest here.", LETTER][span.document];
            let part = &text[span.bytes.clone()];
            assert!(!part.is_empty() && part.trim() == part, "{part:?}");
        }
        let holds = ranked
            .iter()
            .take(5)
            .any(|span| LETTER.get(span.bytes.clone()).is_some_and(|part| part.contains(wanted)));
        assert!(holds, "{question}: {wanted} is among the first");
        let answer = asking.answer(&library);
        assert!((0.0..=1.0).contains(&answer.confidence) && (0.0..=1.0).contains(&answer.null_score));
        for span in answer.spans.iter().chain(&answer.alternatives) {
            let text = ["Nothing of interest here.", LETTER][span.document];
            assert_eq!(&text[span.bytes.clone()], span.text);
            let units: Vec<u16> = text.encode_utf16().collect();
            assert_eq!(String::from_utf16(&units[span.utf16.clone()]).expect("whole characters"), span.text);
        }
        assert_eq!(answer.answer.is_empty(), answer.spans.is_empty());
    }
}

#[test]
fn what_cannot_be_asked_is_said() {
    let session = session();
    let library = Library::of(&[LETTER]).expect("a library");
    let code = |result: Result<Asking, AskError>| result.err().map(|error| error.code());
    assert_eq!(code(Asking::new(&session, &library, " ?! ", None, 3)), Some("ERR_EMPTY_QUESTION"));
    assert_eq!(
        code(Asking::new(&session, &library, "Who?", Some(vec![Some(0.0); 99]), 3)),
        Some("ERR_BAD_ARGUMENT")
    );
    assert_eq!(Library::of(&[" \n", ""]).err().map(|error| error.code()), Some("ERR_EMPTY_DOCUMENT"));
    let large = "word ".repeat(4 << 20);
    assert_eq!(Library::of(&[&large]).err().map(|error| error.code()), Some("ERR_CONTEXT"));
    let mut session = session;
    let long = "why ".repeat(1200);
    let mut asking = Asking::new(&session, &library, &long, None, 3).expect("a question");
    let failed = pollster::block_on(asking.step(&mut session, &library)).expect_err("it does not fit");
    assert_eq!(failed.code(), "ERR_CONTEXT");
}

#[test]
fn an_abort_ends_the_reading() {
    let mut session = session();
    let library = Library::of(&[LETTER]).expect("a library");
    let mut asking =
        Asking::new(&session, &library, "Where was the pump tested?", None, 3).expect("a question");
    let flag = session.cancel_flag();
    let aborting = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(300));
        flag.cancel();
        Instant::now()
    });
    let failed = pollster::block_on(asking.step(&mut session, &library)).expect_err("it was stopped");
    let ended = Instant::now();
    let late = ended.saturating_duration_since(aborting.join().expect("the thread ends"));
    assert_eq!(failed.code(), "ERR_ABORTED");
    // 50 ms is the goal; the machine that tests may be busy.
    assert!(late < Duration::from_millis(250), "{late:?}");
    println!("heard after {late:?}");
    // And the next question is answered as if nothing had been.
    let mut asking =
        Asking::new(&session, &library, "Where was the pump tested?", None, 3).expect("a question");
    assert!(pollster::block_on(asking.step(&mut session, &library)).expect("it reads"));
    assert!(!asking.ranked().is_empty());
}

#[test]
fn a_passage_that_is_asked_again_is_not_run_again() {
    let mut session = session();
    let other =
        Library::of(&["The ferry leaves at nine from the north quay. Bicycles travel free of charge."])
            .expect("a library");
    let library = Library::of(&[LETTER]).expect("a library");
    let (question, frame) = ("Where was the pump tested?", Frame(frame::plain_frame()));
    let mut runs = Vec::new();
    let mut readings = Vec::new();
    for _ in 0..3 {
        let before = session.tokens_run();
        readings.push(read(&mut session, &library, &frame, question).1);
        runs.push(session.tokens_run() - before);
        read(&mut session, &other, &frame, "When does the ferry leave?");
    }
    let tokens = session.tokenizer().encode(LETTER, EncodeOptions::default()).expect("tokens").len() as u64;
    // Frame and passage; the passage behind the frame; neither.
    assert!(runs[1] > runs[2] + tokens - 5, "{runs:?}, and the passage has {tokens} tokens");
    for (a, b) in readings[0].candidates.iter().zip(&readings[2].candidates) {
        assert!((a.start, a.end) == (b.start, b.end) && (a.logprob - b.logprob).abs() < 1e-3, "{a:?} {b:?}");
    }
    // Something else in between takes the frame from the caches as well: it is put back first.
    pollster::block_on(session.logits(&[2, 3, 4, 5], 4)).expect("logits");
    let before = session.tokens_run();
    let reading = read(&mut session, &library, &frame, question).1;
    assert!(session.tokens_run() - before <= runs[2] + 5, "{} {runs:?}", session.tokens_run() - before);
    assert_eq!(reading.candidates.len(), readings[0].candidates.len());
    assert!((reading.null - readings[0].null).abs() < 1e-3);
}

/// As a person runs it: what is tested is what is found, not how likely it is.
fn usual_session() -> Session {
    common::load_with(LoadOptions {
        backend: BackendChoice::Cpu,
        context: Some(1024),
        ..LoadOptions::default()
    })
}

/// The answer of the default search over these documents.
fn ask(session: &mut Session, documents: &[&str], question: &str) -> Answer {
    let library = Library::of(documents).expect("a library");
    let mut asking = Asking::new(session, &library, question, None, 3).expect("a question");
    while pollster::block_on(asking.step(session, &library)).expect("it reads") {}
    let answer = asking.answer(&library);
    for span in answer.spans.iter().chain(&answer.alternatives).chain(&answer.passages) {
        let document = documents[span.document];
        assert_eq!(&document[span.bytes.clone()], span.text, "as it stands there");
        let units: Vec<u16> = document.encode_utf16().collect();
        assert_eq!(String::from_utf16(&units[span.utf16.clone()]).expect("whole characters"), span.text);
    }
    answer
}

#[test]
fn a_document_may_be_anything() {
    let mut session = usual_session();
    let fact = "The ferry to Holm leaves at seven in the morning from pier four.";
    // Letters and digits at random, without a space among them; an object of JSON on one line; a table; one sentence without end.
    let mut state = 7_u64;
    let mut noise = |signs: &[u8]| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        char::from(signs[(state >> 33) as usize % signs.len()])
    };
    let base64: String = (0..40_000)
        .map(|_| noise(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"))
        .collect();
    let json =
        format!("{{\"ferry\":\"{fact}\",\"data\":[{}]}}", "{\"id\":48151623,\"on\":true},".repeat(1500));
    let table = format!("{fact}\n{}", "| 4.815 | 16.23 | 42 | -0.01 |\n".repeat(1500));
    let sentence = format!(
        "{}and the ferry to Holm leaves at seven in the morning and {}",
        "it rains and ".repeat(3000),
        "it snows and ".repeat(3000)
    );
    for document in [format!("{base64}\n\n{fact}"), json, table, sentence] {
        let begin = document.get(..40).unwrap_or_default();
        let answer = ask(&mut session, &[&document], "When does the ferry leave?");
        assert!(answer.answer.contains("seven in the morning"), "{begin}: {:?}", answer.answer);
    }
    // Nothing of it, and a passage that the context has no room for as a whole: read in parts, and the question is not to blame.
    let dense = "9".repeat(3000);
    ask(&mut session, &[&dense], "When does the ferry leave?");
}

#[test]
fn what_nobody_sees_changes_no_answer() {
    let mut session = usual_session();
    let plain = "Karin Lindqvist sells apples on the quay. Peter Hartmann sells candles there. Zoë Müller sells lamps.";
    let shy = plain
        .replace("Hartmann", "Hart\u{AD}mann")
        .replace("candles", "can\u{200B}dles")
        .replace("Peter", "Pe\u{AD}ter");
    let apart = plain.replace("Zoë", "Zoe\u{308}").replace("Müller", "Mu\u{308}ller");
    let marked = format!(
        "\u{FEFF}{}",
        plain.replace("Zoë", "\u{202A}Zoë\u{202C}").replace("Müller", "Mü\u{200D}ller")
    );
    for document in [plain, &shy, &apart, &marked] {
        for (question, wanted) in [
            ("What does Peter Hartmann sell?", "candles"),
            ("What does Pe\u{AD}ter Hartmann sell?", "candles"),
            ("What does Zoë Müller sell?", "lamps"),
            ("What does Zoe\u{308} Mu\u{308}ller sell?", "lamps"),
        ] {
            let answer = ask(&mut session, &[document], question);
            assert_eq!(answer.answer, wanted, "{document:?} {question}");
        }
    }
    assert_eq!(ask(&mut session, &[&shy], "What does Peter Hartmann sell?").spans[0].text, "can\u{200B}dles");
    for empty in ["\u{FEFF}", "\u{FEFF}\n\u{AD} \u{200B}"] {
        assert_eq!(Library::of(&[empty]).err().map(|error| error.code()), Some("ERR_EMPTY_DOCUMENT"));
    }
}

#[test]
fn texts_without_spaces_are_answered() {
    let mut session = usual_session();
    let chinese =
        "灯塔由工程师沈若兰于1931年建成，高42米。渡轮每天早上七点从四号码头出发。面包店在星期一休息。";
    let wrapped = "灯塔由工程师沈若\n兰于1931年建成，\n高42米。渡轮每天早\n上七点从四号码头\n出发。面包店在星\n期一休息。";
    for document in [chinese, wrapped] {
        for (question, wanted) in
            [("灯塔是谁建成的？", "沈若兰"), ("灯塔有多高？", "42米"), ("面包店什么时候休息？", "星期一")]
        {
            let answer = ask(&mut session, &[document], question);
            assert_eq!(answer.answer, wanted, "{question} {:?}", answer.alternatives);
        }
    }
    // Of what it does not say, nothing is said.
    assert_eq!(ask(&mut session, &[chinese], "博物馆的门票多少钱？").answer, "");
    let japanese = "灯台の高さは42メートルです。渡し船は毎朝七時に出ます。パン屋は月曜日に休みます。";
    let korean = "등대는 1931년에 세워졌고 높이는 42미터이다. 빵집은 월요일에 쉰다.";
    let thai = "ประภาคารสูง 42 เมตร ร้านขนมปังปิดวันจันทร์";
    for (document, question, wanted) in [
        (japanese, "灯台の高さは？", "42メートル"),
        (japanese, "パン屋はいつ休みますか？", "月曜"),
        (korean, "등대의 높이는 얼마입니까?", "42"),
        (thai, "ประภาคารสูงเท่าไร", "42"),
    ] {
        let answer = ask(&mut session, &[document], question);
        assert!(answer.answer.contains(wanted), "{question} {:?} {:?}", answer.answer, answer.alternatives);
    }
}
