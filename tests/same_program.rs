//! One source, two runtimes, the same observable log.
//!
//! Each program of `same/` is compiled twice, with `use tokio as rt` and with `use trefoil as rt`,
//! and logs what a user of either could see: who ran before whom, which error came, how much
//! (paused) time went by. The comparison is the definition of "tokio's semantics" where words
//! leave room. What may differ (how threads share tasks, which unbiased branch comes first) is
//! not logged.

/// Collects what a program lets the outside see.
#[derive(Clone, Default)]
pub struct Log(std::sync::Arc<std::sync::Mutex<Vec<String>>>);

impl Log {
    /// One more line.
    pub fn say(&self, line: impl Into<String>) {
        self.0.lock().unwrap().push(line.into());
    }

    /// All lines.
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// Says its name when it is dropped.
pub struct Guard(pub &'static str, pub Log);

impl Drop for Guard {
    fn drop(&mut self) {
        self.1.say(format!("{} dropped", self.0));
    }
}

/// Compiles `same/NAME.rs` for both runtimes, and compares what it logs.
macro_rules! same {
    ($name:ident, $promise:ident) => {
        mod $name {
            mod on_tokio {
                use tokio as rt;
                include!(concat!("same/", stringify!($name), ".rs"));
            }
            mod on_trefoil {
                use trefoil as rt;
                include!(concat!("same/", stringify!($name), ".rs"));
            }

            #[test]
            fn $promise() {
                let (tokio, trefoil) = (on_tokio::run(), on_trefoil::run());
                assert!(
                    tokio.len() > 20,
                    "a short program proves little: {tokio:#?}"
                );
                for (line, (theirs, ours)) in tokio.iter().zip(&trefoil).enumerate() {
                    let before = &tokio[line.saturating_sub(5)..line];
                    assert_eq!(ours, theirs, "trefoil (left) differs after {before:#?}");
                }
                assert_eq!(tokio.len(), trefoil.len(), "{tokio:#?}\n{trefoil:#?}");
            }
        }
    };
}

same!(tasks, tasks_live_and_die_in_the_same_order);
same!(channels, channels_and_locks_hand_over_in_the_same_order);
same!(clock, timers_fire_at_the_same_paused_instants);
same!(streams, streams_carry_and_end_the_same_way);
same!(stop, runtimes_stop_the_same_way);
