//! The process pool's state machine with random events and imagined workers; and its frames with
//! random bytes and cuts. No process is started here.

#![allow(
    dead_code,
    reason = "the files are included whole, with what only the crate uses"
)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

use proptest::prelude::*;

#[path = "../src/parts"]
mod parts {
    pub(crate) mod rng;
    pub(crate) mod slab;
}

#[path = "../src/sys"]
#[allow(
    unsafe_code,
    unused_imports,
    clippy::all,
    reason = "included for the names of the steps only"
)]
mod sys {
    pub(crate) mod call;
    pub(crate) mod cgroup;
    pub(crate) mod fork;
    pub(crate) mod orphans;
    pub(crate) mod pidfd;
    pub(crate) mod process;
    pub(crate) mod setup;
    pub(crate) mod step;
}

#[path = "../src/processes"]
mod processes {
    pub(crate) mod error;
    pub(crate) mod events;
    pub(crate) mod frame;
    pub(crate) mod inbox;
    pub(crate) mod queue;
    pub(crate) mod sizing;
    pub(crate) mod slots;
    pub(crate) mod spare;
    pub(crate) mod state;
    pub(crate) mod state_jobs;
    pub(crate) mod state_leave;
    pub(crate) mod state_settle;
    /// What the documentation of the included files points to.
    pub const MAX_DEPTH: u64 = 4;
}

use parts::slab::Key;
use processes::error::Violation;
use processes::events::{Action, Ending, Event, Mode, Rules, Terms, Trouble};
use processes::frame::{HEADER, Header, Kind, MAX_LEN, MORE};
use processes::inbox::{Inbox, Message};
use processes::state::State;
use sys::step::Step as Start;

/// One step of a random run; numbers pick one of those that are there.
#[derive(Debug, Clone)]
enum Step {
    Submit {
        priority: i32,
        deadline: bool,
        retries: u32,
        patient: bool,
    },
    Launch(usize, bool),
    /// The worker says the next thing of its start; false: the wrong one.
    Start(usize, bool),
    /// The worker takes the next thing that was sent to it.
    Work(usize),
    /// The worker finishes what it runs.
    Finish(usize),
    Die(usize),
    Break(usize),
    Cancel(usize),
    Withdraw(usize),
    Pass(u64),
    Resize(usize),
    Shutdown(u8),
}

fn step() -> impl Strategy<Value = Step> {
    let which = || any::<usize>();
    prop_oneof![
        8 => (-2..3, any::<bool>(), 0..3_u32, prop::bool::weighted(0.8)).prop_map(
            |(priority, deadline, retries, patient)| Step::Submit { priority, deadline, retries, patient }
        ),
        4 => (which(), prop::bool::weighted(0.9)).prop_map(|(w, good)| Step::Launch(w, good)),
        6 => (which(), prop::bool::weighted(0.9)).prop_map(|(w, good)| Step::Start(w, good)),
        8 => which().prop_map(Step::Work),
        8 => which().prop_map(Step::Finish),
        2 => which().prop_map(Step::Die),
        1 => which().prop_map(Step::Break),
        2 => which().prop_map(Step::Cancel),
        1 => which().prop_map(Step::Withdraw),
        4 => (0..60_u64).prop_map(Step::Pass),
        1 => (1..5_usize).prop_map(Step::Resize),
    ]
}

/// What was sent to a worker and not read.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mail {
    Init,
    Job(Key),
    Revoke(Key),
    Ping,
    Stop,
}

/// An imagined worker process.
#[derive(Debug, Default)]
struct Fake {
    mail: VecDeque<Mail>,
    said_hello: bool,
    said_ready: bool,
    running: Option<Key>,
    killed: bool,
    stopping: bool,
}

/// The pool and its imagined world.
struct World {
    state: State<usize>,
    now: Instant,
    /// Asked for, not made.
    launching: Vec<Key>,
    fakes: HashMap<Key, Fake>,
    /// Outcomes by the job's number.
    ends: HashMap<usize, Ending>,
    /// The keys of jobs, by number; `None`: it ended at once.
    keys: Vec<Option<Key>>,
    retries: Vec<u32>,
    /// How often a job began at a worker that this pool did not kill.
    crashes: HashMap<usize, u32>,
    target: usize,
}

impl World {
    fn new(rules: Rules) -> Self {
        let mut world = Self {
            target: rules.workers,
            state: State::new(rules),
            now: Instant::now(),
            launching: Vec::new(),
            fakes: HashMap::new(),
            ends: HashMap::new(),
            keys: Vec::new(),
            retries: Vec::new(),
            crashes: HashMap::new(),
        };
        world.feed(Event::Tick);
        world
    }

    fn feed(&mut self, event: Event) -> bool {
        let mut todo = Vec::new();
        let counts = self.state.on(self.now, event, &mut todo);
        self.carry_out(todo);
        counts
    }

    fn carry_out(&mut self, todo: Vec<Action<usize>>) {
        for action in todo {
            match action {
                Action::Launch(key) => {
                    let [coming, idle, busy, _] = self.state.census();
                    assert!(
                        coming + idle + busy <= self.target.max(5),
                        "too many workers"
                    );
                    self.launching.push(key);
                }
                Action::Init(key) => self.mail(key, Mail::Init),
                Action::Send(key, job) => {
                    let elsewhere = self
                        .fakes
                        .iter()
                        .filter(|(other, fake)| **other != key && !fake.killed)
                        .any(|(_, f)| f.running == Some(job) || f.mail.contains(&Mail::Job(job)));
                    assert!(!elsewhere, "a job in two places");
                    self.mail(key, Mail::Job(job));
                }
                Action::Revoke(key, job) => self.mail(key, Mail::Revoke(job)),
                Action::Ping(key) => self.mail(key, Mail::Ping),
                Action::Stop(key) => self.mail(key, Mail::Stop),
                Action::Kill(key) => {
                    self.fakes
                        .get_mut(&key)
                        .expect("only what was made is killed")
                        .killed = true;
                }
                Action::End(number, ending) => {
                    let before = self.ends.insert(number, ending.clone());
                    assert_eq!(before, None, "job {number} ended twice, now {ending:?}");
                }
            }
        }
    }

    fn mail(&mut self, key: Key, mail: Mail) {
        self.fakes
            .get_mut(&key)
            .expect("mail for nobody")
            .mail
            .push_back(mail);
    }

    /// The `which`th worker process.
    fn pick(&self, which: usize) -> Option<Key> {
        let mut keys: Vec<_> = self.fakes.keys().copied().collect();
        keys.sort_by_key(|key| key.to_u64());
        (!keys.is_empty()).then(|| keys[which % keys.len()])
    }

    fn number_of(&self, job: Key) -> usize {
        self.keys
            .iter()
            .rposition(|key| *key == Some(job))
            .expect("a job of this world")
    }

    fn submit(&mut self, terms: Terms) {
        let number = self.keys.len();
        let mut todo = Vec::new();
        self.retries.push(terms.retries);
        let key = self.state.submit(self.now, number, terms, &mut todo);
        self.keys.push(key);
        self.carry_out(todo);
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Submit {
                priority,
                deadline,
                retries,
                patient,
            } => self.submit(Terms {
                priority,
                retries,
                deadline: deadline.then_some(Duration::from_millis(20)),
                begin_by: (!patient).then(|| self.now + Duration::from_millis(15)),
                end_by: None,
            }),
            Step::Launch(which, good) => {
                if self.launching.is_empty() {
                    return;
                }
                let key = self.launching.remove(which % self.launching.len());
                if good {
                    self.fakes.insert(key, Fake::default());
                    self.feed(Event::Launched(key));
                } else {
                    self.feed(Event::LaunchFailed(key, Trouble::Launch(Start::Clone, 11)));
                }
            }
            Step::Start(which, good) => {
                let Some(key) = self.pick(which) else { return };
                let fake = self.fakes.get_mut(&key).unwrap();
                if !fake.said_hello {
                    fake.said_hello = true;
                    self.feed(Event::Hello(key, true));
                } else if !fake.said_ready && fake.mail.front() == Some(&Mail::Init) {
                    fake.mail.pop_front();
                    fake.said_ready = true;
                    let result = if good { Ok(()) } else { Err("no".to_owned()) };
                    self.feed(Event::Ready(key, result));
                }
            }
            Step::Work(which) => self.work(which),
            Step::Finish(which) => {
                let Some(key) = self.pick(which) else { return };
                if let Some(job) = self.fakes.get_mut(&key).unwrap().running.take() {
                    self.feed(Event::Answered(key, job, None));
                }
            }
            Step::Die(which) => self.die(which, false),
            Step::Break(which) => {
                if let Some(key) = self.pick(which) {
                    self.feed(Event::Violated(key, Violation::Magic(7)));
                }
            }
            Step::Cancel(which) | Step::Withdraw(which) if self.keys.is_empty() => _ = which,
            Step::Cancel(which) => {
                let number = which % self.keys.len();
                let Some(key) = self.keys[number] else { return };
                let open = !self.ends.contains_key(&number);
                assert_eq!(
                    self.feed(Event::Cancel(key)),
                    open,
                    "cancel tells the truth"
                );
                assert!(self.ends.contains_key(&number));
            }
            Step::Withdraw(which) => {
                if let Some(key) = self.keys[which % self.keys.len()] {
                    self.feed(Event::Withdraw(key));
                }
            }
            Step::Pass(ms) => {
                self.now += Duration::from_millis(ms);
                self.feed(Event::Tick);
            }
            Step::Resize(workers) => {
                self.target = workers;
                self.feed(Event::Resize(workers));
            }
            Step::Shutdown(how) => {
                let soon = self.now + Duration::from_millis(50);
                let modes = [
                    Mode::Drain(None),
                    Mode::Drain(Some(soon)),
                    Mode::CancelQueued,
                    Mode::Now,
                ];
                self.feed(Event::Shutdown(modes[how as usize % 4]));
            }
        }
        self.check();
    }

    /// A worker looks at its next mail, as `processes/child.rs` does.
    fn work(&mut self, which: usize) {
        let Some(key) = self.pick(which) else { return };
        let fake = self.fakes.get_mut(&key).unwrap();
        if !fake.said_ready || fake.running.is_some() {
            return;
        }
        let event = match fake.mail.pop_front() {
            Some(Mail::Job(job)) => {
                // It reads all that has arrived before it begins.
                let revoked = fake.mail.iter().position(|mail| *mail == Mail::Revoke(job));
                if let Some(place) = revoked {
                    fake.mail.remove(place);
                    Event::Revoked(key, job, true)
                } else {
                    fake.running = Some(job);
                    return;
                }
            }
            Some(Mail::Revoke(job)) => Event::Revoked(key, job, false),
            Some(Mail::Ping) => Event::Pong(key),
            Some(Mail::Stop) => {
                fake.stopping = true;
                return self.die_key(key, false);
            }
            Some(Mail::Init) | None => return,
        };
        self.feed(event);
    }

    fn die(&mut self, which: usize, unread: bool) {
        if let Some(key) = self.pick(which) {
            self.die_key(key, unread);
        }
    }

    fn die_key(&mut self, key: Key, unread: bool) {
        let fake = self.fakes.remove(&key).unwrap();
        // What it had not read, if that ends with a job: the kernel would tell.
        let unread = unread || matches!(fake.mail.back(), Some(Mail::Job(_)));
        if let Some(job) = fake.running
            && !fake.killed
        {
            *self.crashes.entry(self.number_of(job)).or_default() += 1;
        }
        self.feed(Event::Died(key, unread));
    }

    /// What must be true after each step.
    fn check(&self) {
        for (number, crashes) in &self.crashes {
            assert!(
                *crashes <= 1 + self.retries[*number],
                "job {number} began too often"
            );
        }
        let ended: HashSet<_> = self.ends.keys().collect();
        for (number, key) in self.keys.iter().enumerate() {
            let known = key.is_some_and(|key| self.state.load(key) == Some(&number));
            assert_ne!(known, ended.contains(&number), "job {number} is lost");
        }
    }

    /// Lets everybody do what they are to do, until nothing is left; fails if that has no end.
    fn settle(&mut self) {
        for round in 0..10_000 {
            while let Some(key) = self.launching.pop() {
                self.fakes.insert(key, Fake::default());
                self.feed(Event::Launched(key));
            }
            for key in self.fakes.keys().copied().collect::<Vec<_>>() {
                if self.fakes[&key].killed {
                    self.die_key(key, false);
                    continue;
                }
                for step in [|w| Step::Start(w, true), Step::Work, Step::Finish] {
                    if let Some(which) = self.place(key) {
                        self.step(step(which));
                    }
                }
            }
            if self.ends.len() == self.keys.len()
                && (!self.state.is_closing() || self.state.is_over())
            {
                return;
            }
            // Time passes slowly: whoever can do something does it before its deadline.
            if let Some(alarm) = self.state.next_alarm(self.now)
                && round % 20 == 19
            {
                self.now = self.now.max(alarm);
                self.feed(Event::Tick);
            }
        }
        panic!(
            "no end: {} of {} jobs, {:?}, workers {:?}",
            self.ends.len(),
            self.keys.len(),
            self.state.census(),
            self.fakes
        );
    }

    fn place(&self, key: Key) -> Option<usize> {
        let mut keys: Vec<_> = self.fakes.keys().copied().collect();
        keys.sort_by_key(|key| key.to_u64());
        keys.iter().position(|other| *other == key)
    }
}

/// One worker that takes jobs ahead, and is up.
fn one_worker(send_ahead: usize) -> (World, Key) {
    let mut world = World::new(Rules {
        workers: 1,
        min_workers: 1,
        max_tasks: None,
        jitter: 0.0,
        max_age: None,
        max_rss: None,
        idle_timeout: None,
        start_timeout: Duration::from_secs(1),
        stop_timeout: Duration::from_secs(1),
        intensity: (3, Duration::from_secs(1)),
        send_ahead: Some(send_ahead),
        heartbeat: None,
    });
    world.step(Step::Launch(0, true));
    world.step(Step::Start(0, true));
    world.step(Step::Start(0, true));
    let key = world.pick(0).unwrap();
    (world, key)
}

/// Behaviour 75.
#[test]
fn f75_a_deadline_counts_from_the_own_begin() {
    let (mut world, worker) = one_worker(3);
    let terms = Terms {
        deadline: Some(Duration::from_millis(20)),
        ..Terms::default()
    };
    (0..4).for_each(|_| world.submit(terms));
    assert_eq!(world.fakes[&worker].mail.len(), 4, "three of them ahead");
    for _ in 0..4 {
        world.step(Step::Work(0));
        world.step(Step::Pass(15));
        world.step(Step::Finish(0));
    }
    assert!((0..4).all(|number| world.ends[&number] == Ending::Answered));

    world.submit(terms);
    world.step(Step::Work(0));
    world.step(Step::Pass(20));
    assert!(matches!(world.ends[&4], Ending::TimedOut { .. }));
    assert!(world.fakes[&worker].killed);
}

/// A worker that dies unheard with its only job unread had not begun it.
#[test]
fn c32_a_job_for_a_dead_worker_runs_elsewhere() {
    let (mut world, worker) = one_worker(0);
    world.submit(Terms::default());
    world.die_key(worker, true);
    assert!(world.ends.is_empty());
    world.settle();
    assert_eq!(world.ends[&0], Ending::Answered);
}

fn rules() -> impl Strategy<Value = Rules> {
    (
        1..5_usize,
        0..5_usize,
        0..4_usize,
        prop::option::of(1..5_u32),
        any::<[bool; 3]>(),
    )
        .prop_map(
            |(workers, min_workers, ahead, max_tasks, [idle, age, heartbeat])| Rules {
                workers,
                min_workers: min_workers.min(workers),
                max_tasks,
                jitter: 0.0,
                max_age: age.then_some(Duration::from_millis(200)),
                max_rss: None,
                idle_timeout: idle.then_some(Duration::from_millis(40)),
                start_timeout: Duration::from_millis(100),
                stop_timeout: Duration::from_millis(100),
                intensity: (1000, Duration::from_secs(1)),
                send_ahead: Some(ahead),
                heartbeat: heartbeat.then_some(Duration::from_millis(50)),
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn each_job_has_one_outcome_whatever_happens(
        rules in rules(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut world = World::new(rules);
        steps.into_iter().for_each(|step| world.step(step));
        world.settle();
    }

    #[test]
    fn each_way_to_end_ends(
        rules in rules(),
        steps in prop::collection::vec(step(), 0..100),
        how in 0..4_u8,
        more in prop::collection::vec(step(), 0..50),
    ) {
        let mut world = World::new(rules);
        steps.into_iter().for_each(|step| world.step(step));
        world.step(Step::Shutdown(how));
        more.into_iter().for_each(|step| world.step(step));
        world.settle();
        prop_assert!(world.state.is_over());
    }

    #[test]
    fn random_bytes_are_refused_without_a_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..512),
        valid in any::<bool>(),
        cap in 0..100_u64,
    ) {
        let mut bytes = bytes;
        if valid && bytes.len() >= 4 {
            let kind = bytes[3] % 15;
            bytes[..4].copy_from_slice(&[0x7E, 0x3F, 1, kind]);
        }
        let mut inbox = Inbox::new(cap);
        let mut longest = 0;
        _ = inbox.feed(&bytes, |message| longest = longest.max(message.payload.len()));
        prop_assert!(longest as u64 <= cap);
    }

    #[test]
    fn messages_survive_any_cut(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..100), 1..6),
        more in any::<bool>(),
        cuts in prop::collection::vec(1..50_usize, 1..100),
    ) {
        let mut bytes = Vec::new();
        let mut wanted = Vec::new();
        for (job, payload) in (1..).zip(&payloads) {
            let header = Header { job, ..Header::of(Kind::Done) };
            let parts: Vec<&[u8]> = if more { payload.chunks(7).collect() } else { vec![payload] };
            for (place, part) in parts.iter().enumerate() {
                let flags = if place + 1 < parts.len() { MORE } else { 0 };
                let len = part.len() as u32;
                bytes.extend(Header { flags, len, ..header }.encode());
                bytes.extend_from_slice(part);
            }
            if !parts.is_empty() {
                wanted.push((job, payload.clone()));
            }
        }
        let (mut inbox, mut found, mut rest) = (Inbox::new(1000), Vec::new(), &bytes[..]);
        for cut in cuts.into_iter().cycle() {
            let (now, later) = rest.split_at(cut.min(rest.len()));
            let mut take = |message: Message| found.push((message.header.job, message.payload));
            prop_assert_eq!(inbox.feed(now, &mut take), Ok(()));
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn a_header_is_what_its_bytes_say(bytes in any::<[u8; HEADER]>()) {
        if let Ok(header) = Header::decode(&bytes) {
            prop_assert!(header.len <= MAX_LEN);
            prop_assert_eq!(Header::decode(&header.encode()), Ok(header));
        }
    }
}
