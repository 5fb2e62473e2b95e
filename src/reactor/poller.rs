//! (being written)

use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::parts::slab::Key;
use crate::reactor::readiness::Readiness;

/// The runtime's epoll instance and the table of what is registered in it.
pub(crate) struct Reactor;

/// The right to wait for events: one thread at a time.
pub(crate) struct Turn<'a>(std::marker::PhantomData<&'a Reactor>);

impl Reactor {
    /// An epoll instance that takes at most `max_events` events a turn.
    pub(crate) fn new(_max_events: usize) -> io::Result<Self> {
        todo!()
    }

    /// The right to turn, unless another thread has it.
    pub(crate) fn try_turn(&self) -> Option<Turn<'_>> {
        todo!()
    }

    /// Ends the wait of the thread that turns, or of the next one.
    pub(crate) fn unpark(&self) {
        todo!()
    }

    /// Registers an OS object once, edge-triggered.
    pub(crate) fn register(
        &self,
        _source: &mut dyn mio::event::Source,
        _interest: mio::Interest,
    ) -> io::Result<(Key, Arc<Readiness>)> {
        todo!()
    }

    /// Takes it out again; must come before close(2).
    pub(crate) fn deregister(
        &self,
        _key: Key,
        _source: &mut dyn mio::event::Source,
    ) -> io::Result<()> {
        todo!()
    }

    /// Wakes everybody who waits; from now on all waiting fails.
    pub(crate) fn shutdown(&self) {
        todo!()
    }
}

impl Turn<'_> {
    /// Waits for events (`None`: until unparked) and wakes who waits for them.
    pub(crate) fn turn(&mut self, _timeout: Option<Duration>) -> io::Result<usize> {
        todo!()
    }
}
