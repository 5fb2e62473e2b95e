//! The table of rows: what is measured, by which clock, where, and what is demanded.
//!
//! A row's name says most: `pp_thread_mt2@2cores` is the workload `pp_thread` on a multi-thread
//! runtime with 2 workers, pinned to two cores. `_ct` is the current-thread runtime, and so is a
//! name without any of these endings.
//!
//! `must` is how many times better than tokio a metric has to be. 1.0 stands at the physical
//! floor and means "not worse": within 3 % by the CPU clock, within 5 % by the wall clock.
//! To add a row: a line here, and a function of that name in the chapter's file.
//! Read next: `job.rs`.

#![forbid(unsafe_code)]

use crate::job::{Clock, Cores, Flavour, Job};
use Clock::{Count, Cpu, Wall};
use std::time::Duration;

/// What is demanded of one metric.
#[derive(Clone, Copy, Debug)]
pub struct Must {
    /// The metric's name, as the workload reports it.
    pub metric: &'static str,
    /// Times better than tokio, in the median round.
    pub ratio: f64,
    /// And not above this value.
    pub at_most: Option<f64>,
    /// And at most so many times the value of plain epoll.
    pub of_raw: Option<f64>,
}

/// One line of the comparison.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Workload, runtime and pinning, in one word.
    pub name: &'static str,
    /// What its time is read from.
    pub clock: Clock,
    /// Pinned to two cores although the name does not say it: client-server rows.
    pinned: bool,
    /// Length of one run.
    target: Duration,
    /// Whether `raw.rs` has a counterpart.
    pub raw: bool,
    /// No other win counts while a gate is lost.
    pub gate: bool,
    /// What is demanded; empty for a row that is only printed.
    pub must: [Option<Must>; 2],
}

/// A row whose headline metric is in ns and has to be `must` times better; 0 demands nothing.
const fn row(name: &'static str, clock: Clock, must: f64) -> Row {
    let demanded = Must {
        metric: "ns",
        ratio: must,
        at_most: None,
        of_raw: None,
    };
    Row {
        name,
        clock,
        pinned: false,
        target: Duration::from_millis(60),
        raw: false,
        gate: false,
        must: [if must > 0.0 { Some(demanded) } else { None }, None],
    }
}

impl Row {
    /// Network or OS threads: runs of 100 ms.
    const fn long(mut self) -> Row {
        self.target = Duration::from_millis(100);
        self
    }

    /// A client on core 1 and its server on core 0.
    const fn client_server(mut self) -> Row {
        self.pinned = true;
        self.raw = true;
        self.long()
    }

    /// Has a counterpart without a runtime.
    const fn raw(mut self) -> Row {
        self.raw = true;
        self
    }

    /// No other win counts while this one is lost.
    const fn gate(mut self) -> Row {
        self.gate = true;
        self
    }

    /// The demand is on this metric instead of "ns".
    const fn on(mut self, metric: &'static str) -> Row {
        if let Some(mut must) = self.must[0] {
            must.metric = metric;
            self.must[0] = Some(must);
        }
        self
    }

    /// A demand on a second metric.
    const fn and(mut self, metric: &'static str, ratio: f64) -> Row {
        self.must[1] = Some(Must {
            metric,
            ratio,
            at_most: None,
            of_raw: None,
        });
        self
    }

    /// The latest demand has an upper bound too.
    const fn at_most(mut self, bound: f64) -> Row {
        let last = self.must[1].is_some() as usize;
        if let Some(mut must) = self.must[last] {
            must.at_most = Some(bound);
            self.must[last] = Some(must);
        }
        self
    }

    /// The first demand is also held against plain epoll.
    const fn of_raw(mut self, times: f64) -> Row {
        if let Some(mut must) = self.must[0] {
            must.of_raw = Some(times);
            self.must[0] = Some(must);
        }
        self
    }

    /// What a child has to do for this row.
    pub fn job(&self) -> Job {
        let (base, pin) = match self.name.split_once('@') {
            Some((base, "1core")) => (base, Cores::One),
            Some((base, _)) => (base, Cores::Two),
            None if self.pinned => (self.name, Cores::Two),
            None => (self.name, Cores::Free),
        };
        let endings = [
            ("_ct", Flavour::CurrentThread),
            ("_mt1", Flavour::MultiThread(1)),
            ("_mt2", Flavour::MultiThread(2)),
        ];
        let (workload, flavour) = endings
            .iter()
            .find_map(|&(ending, flavour)| Some((base.strip_suffix(ending)?, flavour)))
            .unwrap_or((base, Flavour::CurrentThread));
        let (clock, target) = (self.clock, self.target);
        Job {
            workload,
            flavour,
            clock,
            pin,
            target,
            quick: false,
        }
    }

    /// What is demanded of `metric`.
    pub fn must(&self, metric: &str) -> Option<Must> {
        self.must
            .iter()
            .flatten()
            .copied()
            .find(|must| must.metric == metric)
    }

    /// The least ratio that counts as "not worse" where 1.0 is demanded.
    pub fn at_par(&self) -> f64 {
        match self.clock {
            Cpu => 0.97,
            Wall => 0.95,
            Count => 1.0,
        }
    }
}

/// All rows, in the order of the chapters.
pub const ROWS: &[Row] = &[
    // The executor.
    row("block_on_ready_ct", Cpu, 8.0),
    row("block_on_ready_mt2", Wall, 1.3),
    row("spawn_join_ct", Cpu, 3.0),
    row("spawn_join_mt1", Wall, 2.8),
    row("spawn_join_mt2", Wall, 3.5),
    row("spawn_join_outside_mt1@1core", Wall, 1.0).long(),
    row("spawn_join_outside_mt1@2cores", Wall, 1.0).long(),
    row("spawn_join_outside_mt2@1core", Wall, 1.0).long(),
    row("spawn_join_outside_mt2@2cores", Wall, 1.0).long(),
    row("spawn_64_ct", Cpu, 4.0),
    row("spawn_64_mt2", Wall, 3.5),
    row("spawn_10k_ct", Cpu, 5.0),
    row("spawn_10k_mt1", Wall, 4.5),
    row("spawn_10k_mt2", Wall, 5.0),
    row("spawn_10k_outside_mt2", Wall, 5.0),
    row("spawn_1m_ct", Cpu, 0.0),
    row("spawn_1m_mt2", Wall, 0.0),
    row("yield_1_ct", Cpu, 10.0),
    row("yield_1_mt2", Wall, 8.0),
    row("yield_200_ct", Cpu, 2.5),
    row("yield_200_mt1", Wall, 3.0),
    row("yield_200_mt2", Wall, 2.2),
    row("wake_self_ct", Cpu, 1.5),
    row("wake_self_mt2", Wall, 1.4),
    row("waker_clone_drop", Cpu, 1.0),
    row("wake_notified", Cpu, 1.0),
    row("chained_ct", Cpu, 4.0),
    row("chained_mt1", Wall, 3.5),
    row("chained_mt2", Wall, 5.0),
    row("pp_oneshot_ct", Cpu, 2.5),
    row("pp_oneshot_mt1", Wall, 2.2),
    row("pp_oneshot_mt2", Wall, 3.5),
    row("pp_mpsc_ct", Cpu, 1.4),
    row("pp_mpsc_mt1", Wall, 1.3),
    row("pp_mpsc_mt2", Wall, 1.7),
    row("pp_mpsc_outside_mt1@1core", Wall, 1.0).long(),
    row("pp_mpsc_outside_mt1@2cores", Wall, 1.0).long(),
    row("pp_thread_ct@1core", Wall, 1.0).long(),
    row("pp_thread_ct@2cores", Wall, 1.0).long(),
    row("pp_thread_mt2@1core", Wall, 1.0).long(),
    row("pp_thread_mt2@2cores", Wall, 1.0).long(),
    row("fib21_ct", Cpu, 2.5),
    row("fib21_mt1", Wall, 2.5),
    row("fib21_mt2", Wall, 3.0),
    row("cpu_fan_mt2", Wall, 1.0),
    row("joinset_1k_ct", Cpu, 2.0),
    row("joinset_1k_mt2", Wall, 2.0),
    // Time.
    row("sleep_create_drop_ct", Cpu, 5.0),
    row("sleep_create_drop_mt2", Wall, 1.7),
    row("sleep_1000live_ct", Cpu, 5.0),
    row("sleep_1000live_mt2", Wall, 1.6),
    row("timeout_ready_ct", Cpu, 1.0),
    row("timeout_yield_ct", Cpu, 1.6),
    row("timeout_yield_mt2", Wall, 3.0),
    row("sleeps_200k_ct", Cpu, 2.0),
    row("sleeps_200k_mt2", Cpu, 1.8),
    row("sleeps_1m_ct", Cpu, 0.0),
    row("sleeps_1m_mt2", Cpu, 0.0),
    row("interval_idle_ct", Wall, 1.0)
        .on("p50 µs")
        .and("p99 µs", 1.0),
    row("interval_idle_mt2", Wall, 1.0)
        .on("p50 µs")
        .and("p99 µs", 1.0),
    row("interval_load8_ct", Wall, 1.0)
        .on("p99 µs")
        .at_most(500.0)
        .gate(),
    row("interval_load8_mt2", Wall, 1.0)
        .on("p99 µs")
        .at_most(500.0)
        .gate(),
    // Sockets.
    row("tcp_pp_ct", Wall, 1.0).of_raw(1.09).raw(),
    row("tcp_pp_mt1", Wall, 0.0).raw(),
    row("tcp_pp_mt2", Wall, 1.0).of_raw(1.09).raw(),
    row("tcp_pp_yielder_ct", Wall, 0.95).gate(),
    row("tcp_pp_yielder_mt2", Wall, 0.95).gate(),
    row("tcp_64self_ct", Wall, 1.0).on("1/s"),
    row("tcp_64self_mt2", Wall, 1.0).on("1/s").gate(),
    row("tcp_1000self_mt2", Wall, 1.0).on("1/s"),
    row("tcp_pp_vs_raw@1core", Wall, 0.0).client_server(),
    row("tcp_pp_vs_raw@2cores", Wall, 1.0).client_server(),
    row("tcp_64c_ct", Wall, 1.0)
        .on("server CPU ns")
        .client_server(),
    row("tcp_64c_mt2", Wall, 1.0)
        .on("server CPU ns")
        .client_server(),
    row("tcp_1000c_ct", Wall, 1.0)
        .on("server CPU ns")
        .client_server(),
    row("tcp_1000c_mt2", Wall, 1.0)
        .on("server CPU ns")
        .client_server(),
    row("bulk", Wall, 1.0).on("GB/s").client_server(),
    row("accept", Wall, 1.0).on("1/s").client_server(),
    row("udp_pp", Wall, 1.0).client_server(),
    row("http_hello", Wall, 1.0)
        .on("server CPU ns")
        .client_server(),
    // Channels and locks.
    row("mpsc_b_local", Cpu, 1.6),
    row("mpsc_b_1to1_ct", Cpu, 1.5),
    row("mpsc_b_1to1_mt2", Wall, 1.2),
    row("mpsc_b_4to1_ct", Cpu, 1.5),
    row("mpsc_b_4to1_mt2", Wall, 1.2),
    row("mpsc_u_1to1_ct", Cpu, 1.3),
    row("mpsc_u_1to1_mt2", Wall, 1.2),
    row("mpsc_u_4to1_ct", Cpu, 1.3),
    row("mpsc_u_4to1_mt2", Wall, 1.2),
    row("oneshot_local", Cpu, 1.8),
    row("mutex_unc", Cpu, 1.7),
    row("mutex_unc_nobudget", Cpu, 0.0),
    row("sem_unc", Cpu, 1.7),
    row("mutex_con_ct", Cpu, 1.4),
    row("mutex_con_mt2", Wall, 1.3),
    row("sem_con_ct", Cpu, 2.2),
    row("sem_con_mt2", Wall, 1.3),
    row("notify_pp_ct", Cpu, 1.6),
    row("notify_pp_mt2", Wall, 1.5),
    row("notify_local", Cpu, 1.0),
    // The rest.
    row("spawn_blocking_ct", Wall, 1.1).long(),
    row("spawn_blocking_mt2", Wall, 1.1).long(),
    row("spawn_blocking_64_mt2", Wall, 1.5).long(),
    row("signal_ct", Wall, 1.0).on("p50 µs"),
    row("signal_mt2", Wall, 1.0).on("p50 µs"),
    row("idle_mem", Count, 2.1)
        .on("pending bytes")
        .at_most(156.0)
        .and("sleeping bytes", 2.0)
        .at_most(224.0),
];
