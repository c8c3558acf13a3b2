//! How the caller and the workers of a pool meet.
//!
//! One word, the gate, says all: the number of the job, whether it is open, how many workers are inside, how many sleep.
//! The caller writes a job and opens the gate; workers that see it enter, take tasks until none is left, and leave. The caller
//! takes tasks as well; when it finds none it closes the gate and waits until nobody is inside. Every task was then taken by
//! somebody who has left, so all are done. A worker that comes late finds the gate closed: nobody waits for one that sleeps, or
//! that the system has put aside.
//!
//! Each thread has a range of the tasks with a cursor of its own, which others move only when their own range is empty.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::PoisonError;
use std::sync::atomic::Ordering::{AcqRel, Acquire, Relaxed, Release};

use super::sync::{AtomicBool, AtomicU64, AtomicUsize, Cell, Condvar, Mutex, MutexGuard, spin_until};

/// One worker inside; 16 bits.
const INSIDE: u64 = 1;
const INSIDE_MASK: u64 = 0xffff;
/// One worker asleep; 16 bits.
const ASLEEP: u64 = 1 << 16;
const ASLEEP_MASK: u64 = 0xffff << 16;
/// There is a job, and tasks of it may be left.
const OPEN: u64 = 1 << 32;
/// The caller sleeps until the last worker has left.
const AWAITED: u64 = 1 << 33;
/// The pool ends.
const SHUT: u64 = 1 << 34;
/// A worker was lost inside: it will never leave.
const LOST: u64 = 1 << 35;
/// One job; the bits from here up count them, and wrap around.
const JOB: u64 = 1 << 36;

/// Two cache lines, since processors fetch them in pairs: what one thread writes often is not beside what another reads often.
#[repr(align(128))]
struct Padded<T>(T);

/// Tasks of one thread.
struct Range {
    /// The next task; may run past the end.
    cursor: AtomicUsize,
    end: AtomicUsize,
}

impl Range {
    fn take(&self) -> Option<usize> {
        let end = self.end.load(Relaxed);
        // Looking first keeps the line shared, and the cursor from running far past the end.
        if self.cursor.load(Relaxed) >= end {
            return None;
        }
        let task = self.cursor.fetch_add(1, Relaxed);
        (task < end).then_some(task)
    }
}

/// What to do for each task, without the lifetime that [`Protocol::run`] sees to.
type Work = *const (dyn Fn(usize) + Sync);

/// The job inside the gate.
struct Job {
    work: Option<Work>,
    /// Ranges that the tasks are split into.
    ranges: usize,
}

/// What is told under a lock.
struct Room {
    /// How often sleepers were woken.
    wakes: u64,
    /// What a task of a worker panicked with.
    panic: Option<Box<dyn Any + Send>>,
}

/// The meeting point of one caller at a time and its workers.
pub struct Protocol {
    gate: Padded<AtomicU64>,
    ranges: Box<[Padded<Range>]>,
    /// Written while the gate is closed and nobody is inside, read by those inside.
    job: Cell<Job>,
    /// Somebody is in `run`.
    busy: AtomicBool,
    /// Threads that take part, the caller among them.
    members: AtomicUsize,
    panicked: AtomicBool,
    room: Mutex<Room>,
    /// Where workers sleep.
    opened: Condvar,
    /// Where the caller sleeps.
    left: Condvar,
}

// SAFETY: the job is all that is neither `Send` nor `Sync` by itself: a pointer to a closure that is `Sync`, guarded by the gate
// as said at the field.
unsafe impl Send for Protocol {}
// SAFETY: as above.
unsafe impl Sync for Protocol {}

impl Protocol {
    /// A meeting point with places for `threads`, the caller's taken.
    pub fn new(threads: usize) -> Self {
        let range = || Padded(Range { cursor: AtomicUsize::new(0), end: AtomicUsize::new(0) });
        Protocol {
            gate: Padded(AtomicU64::new(0)),
            ranges: (0..threads.max(1)).map(|_| range()).collect(),
            job: Cell::new(Job { work: None, ranges: 0 }),
            busy: AtomicBool::new(false),
            members: AtomicUsize::new(1),
            panicked: AtomicBool::new(false),
            room: Mutex::new(Room { wakes: 0, panic: None }),
            opened: Condvar::new(),
            left: Condvar::new(),
        }
    }

    /// Threads that take part.
    pub fn members(&self) -> usize {
        self.members.load(Relaxed)
    }

    /// Places that are still free.
    pub fn vacancies(&self) -> usize {
        self.ranges.len() - self.members()
    }

    /// Takes a place for a worker that is going to [`serve`](Self::serve).
    pub fn join(&self) -> Option<usize> {
        let places = self.ranges.len();
        self.members.fetch_update(Relaxed, Relaxed, |members| (members < places).then_some(members + 1)).ok()
    }

    /// Gives back the place taken last, whose worker did not come to be.
    pub fn leave(&self) {
        self.members.fetch_sub(1, Relaxed);
    }

    /// Runs `work(task)` once for each task in `0..tasks`; returns when all are done.
    pub fn run(&self, tasks: usize, work: &(dyn Fn(usize) + Sync)) {
        let members = self.members();
        // Busy: this is a task that asks, or another thread of the caller's; in both cases the workers have enough to do.
        if tasks <= 1 || members == 1 || self.busy.swap(true, Acquire) {
            (0..tasks).for_each(work);
            return;
        }
        // SAFETY: only the lifetime changes. Workers use the closure between entering and leaving the gate, and `closing` below
        // is dropped, by a panic as well, before this function and with it the borrow of `work` ends: it closes the gate and
        // waits until nobody is inside.
        let work: &'static (dyn Fn(usize) + Sync) = unsafe { std::mem::transmute(work) };
        self.job.with_mut(|job| {
            // SAFETY: the gate is closed, nobody is inside, and `busy` keeps other callers away.
            unsafe { *job = Job { work: Some(work), ranges: members } }
        });
        let bound = |range: usize| (tasks as u64 * range as u64 / members as u64) as usize;
        for (index, Padded(range)) in self.ranges.iter().enumerate().take(members) {
            range.cursor.store(bound(index), Relaxed);
            range.end.store(bound(index + 1), Relaxed);
        }
        let closing = Closing(self);
        self.open();
        self.take_tasks(0, members, work);
        drop(closing);
    }

    /// Takes tasks until none is left: of the own range first, then of those behind it.
    fn take_tasks(&self, slot: usize, ranges: usize, work: &(dyn Fn(usize) + Sync)) {
        for step in 0..ranges {
            let Padded(range) = &self.ranges[(slot + step) % ranges];
            while let Some(task) = range.take() {
                work(task);
            }
        }
    }

    fn open(&self) {
        let opened = |gate: u64| Some((gate & !ASLEEP_MASK).wrapping_add(JOB) | OPEN);
        // Release: who enters sees the job and its ranges.
        let before = self.gate.0.fetch_update(Release, Relaxed, opened).unwrap_or_default();
        if before & ASLEEP_MASK != 0 {
            self.wake();
        }
    }

    /// Wakes all who sleep; the gate says already what for.
    fn wake(&self) {
        self.lock().wakes += 1;
        self.opened.notify_all();
    }

    /// Closes the gate, and waits until nobody is inside.
    fn close(&self) {
        // Acquire, here and below: what the workers wrote is seen. Their leaving is one chain of changes of the gate, so that the
        // last of them carries what all did.
        if self.gate.0.fetch_and(!OPEN, AcqRel) & INSIDE_MASK == 0 {
            return;
        }
        let is_over = || {
            let gate = self.gate.0.load(Acquire);
            gate & INSIDE_MASK == 0 || gate & LOST != 0
        };
        if !spin_until(is_over) {
            let mut room = self.lock();
            self.gate.0.fetch_or(AWAITED, AcqRel);
            while !is_over() {
                room = self.left.wait(room).unwrap_or_else(PoisonError::into_inner);
            }
            self.gate.0.fetch_and(!AWAITED, Relaxed);
        }
        if self.gate.0.load(Relaxed) & LOST != 0 {
            // Others may still be at work on what the caller borrowed: nothing may go on here. In a browser this is a trap like
            // the worker's own, and the page ends them all.
            std::process::abort();
        }
    }

    /// Says that a worker which is inside will never leave.
    pub fn abandon(&self) {
        self.gate.0.fetch_or(LOST, AcqRel);
        drop(self.lock());
        self.left.notify_one();
    }

    /// A worker's life: returns when the pool is shut down. `slot` is from [`join`](Self::join).
    pub fn serve(&self, slot: usize) {
        let mut seen = 0;
        while self.enter(&mut seen) {
            let (work, ranges) = self.job.with(|job| {
                // SAFETY: this worker is inside, so that nobody writes the job.
                let job = unsafe { &*job };
                (job.work, job.ranges)
            });
            if let Some(work) = work {
                // SAFETY: the caller does not leave `run`, which borrows the closure, while this worker is inside.
                let work = unsafe { &*work };
                let tasks = AssertUnwindSafe(|| self.take_tasks(slot, ranges, work));
                if let Err(panic) = catch_unwind(tasks) {
                    self.lock().panic.get_or_insert(panic);
                    self.panicked.store(true, Relaxed);
                }
            }
            // Release: the caller sees what the tasks wrote.
            let before = self.gate.0.fetch_sub(INSIDE, AcqRel);
            if before & AWAITED != 0 && before & INSIDE_MASK == INSIDE {
                // The caller holds the lock from setting the flag until it sleeps.
                drop(self.lock());
                self.left.notify_one();
            }
        }
    }

    /// Waits for a job other than the one seen last, and enters; false when the pool is shut down.
    fn enter(&self, seen: &mut u64) -> bool {
        let is_news = |gate: u64| gate & SHUT != 0 || (gate & OPEN != 0 && gate / JOB != *seen);
        loop {
            if !spin_until(|| is_news(self.gate.0.load(Relaxed))) {
                self.sleep(is_news);
            }
            let gate = self.gate.0.load(Relaxed);
            if gate & SHUT != 0 {
                return false;
            }
            // Acquire: the job is seen.
            let entered =
                is_news(gate) && self.gate.0.compare_exchange(gate, gate + INSIDE, Acquire, Relaxed).is_ok();
            if entered {
                *seen = gate / JOB;
                return true;
            }
        }
    }

    fn sleep(&self, is_news: impl Fn(u64) -> bool) {
        let mut room = self.lock();
        let wakes = room.wakes;
        // In the gate itself, so that there is no moment between looking for news and being known to sleep.
        let asleep = |gate: u64| (!is_news(gate)).then_some(gate + ASLEEP);
        if self.gate.0.fetch_update(Relaxed, Relaxed, asleep).is_err() {
            return;
        }
        // Who opens the gate now finds a sleeper in it, and needs the lock to wake it.
        while room.wakes == wakes {
            room = self.opened.wait(room).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Sends the workers home: [`serve`](Self::serve) returns.
    pub fn shut_down(&self) {
        self.gate.0.fetch_or(SHUT, Relaxed);
        self.wake();
    }

    fn lock(&self) -> MutexGuard<'_, Room> {
        // Nothing panics while it holds the lock, and what it guards is whole at any time.
        self.room.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end of a job, whichever way it comes.
struct Closing<'a>(&'a Protocol);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        let Closing(shared) = self;
        shared.close();
        let panic = match shared.panicked.swap(false, Relaxed) {
            true => shared.lock().panic.take(),
            false => None,
        };
        shared.busy.store(false, Release);
        // Where the caller's own task panics, that panic is the one that goes on.
        if let Some(panic) = panic.filter(|_| !std::thread::panicking()) {
            resume_unwind(panic);
        }
    }
}
