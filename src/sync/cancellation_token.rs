//! Tells many tasks to stop: a tree of tokens, cancelled from one node downwards.
//!
//! ```text
//!   server ─┬─ connection 1 ─┬─ request a       cancel(connection 1) reaches a and b,
//!           │                └─ request b       neither the server nor connection 2
//!           └─ connection 2 ─── request c
//! ```
//!
//! All tokens of a tree share one mutex and one slab; parent and children are keys in it. A node's
//! last handle gone, the node is pruned: without children it leaves, with one child the child takes
//! its place, with more it stays as a fork. So there are fewer dead nodes than living ones, however
//! long a chain of children of children grew, and no walk or drop is recursive.
//!
//! Cancelling fells the subtree under the mutex, children flagged before their parents, and wakes
//! its waiters after it.
//! Why not one mutex a node: pruning would need three of them at once, in the right order, and the
//! paths from and to the root would be chains of `Arc`s, dropped recursively.
//! Read next: `sync/cancellation_wait.rs`, the futures.

#![forbid(unsafe_code)]

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::vec;

use crate::parts::list::{self, List};
use crate::parts::slab::{Key, Slab};
use crate::sync::notify::Notify;

/// A token that tasks look at, or wait for, to learn that they are to stop.
///
/// Clones are the same token. A [child](Self::child_token) is cancelled with its parent, but not
/// the other way round. Dropping a token cancels nothing: for that there is
/// [`drop_guard`](Self::drop_guard).
///
/// The names are those of the crate tokio-util, where tokio's users find this type.
///
/// # Examples
///
/// ```
/// # trefoil::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use trefoil::sync::CancellationToken;
///
/// let server = CancellationToken::new();
/// let request = server.child_token();
/// assert!(!request.is_cancelled());
///
/// server.cancel();
/// request.cancelled().await;
/// assert!(request.is_cancelled());
/// # });
/// ```
pub struct CancellationToken {
    /// Shared by the clones.
    node: Arc<Node>,
}

/// What the clones of one token share. Dropped with the last of them.
pub(crate) struct Node {
    /// Never goes back to false. Written under the mutex of the tree.
    cancelled: AtomicBool,
    /// Who waits for it.
    pub(crate) notify: Notify,
    /// The tree it belongs to.
    tree: Arc<Tree>,
    /// Its branch there; stale when it was cancelled.
    key: Key,
}

/// All branches of a tree that can still be cancelled. Felled parts are gone from it.
struct Tree(Mutex<Slab<list::Node<Branch>>>);

/// A node as its tree sees it.
struct Branch {
    /// Whom to tell. Dangling when `fork`.
    node: Weak<Node>,
    /// True when all handles are gone and only the branches are of interest.
    fork: bool,
    /// The branch it hangs on, or [`Key::NONE`].
    parent: Key,
    /// The branches that hang on it.
    children: List,
}

impl CancellationToken {
    /// A token without a parent.
    pub fn new() -> Self {
        let tree = Arc::new(Tree(Mutex::new(Slab::new())));
        let node = tree.grow(&mut tree.lock(), Key::NONE);
        Self { node }
    }

    /// A token that is cancelled with this one, or alone.
    ///
    /// The child of a cancelled token is cancelled from the start.
    pub fn child_token(&self) -> Self {
        let parent = &self.node;
        let mut branches = parent.tree.lock();
        let node = if self.is_cancelled() {
            Node::new(parent.tree.clone(), Key::NONE, true)
        } else {
            parent.tree.grow(&mut branches, parent.key)
        };
        Self { node }
    }

    /// Cancels this token and all that hang on it, and wakes who waits for them.
    ///
    /// When it returns, all of them are cancelled. A second call changes nothing.
    pub fn cancel(&self) {
        let felled = {
            let mut branches = self.node.tree.lock();
            Tree::fell(&mut branches, self.node.key)
        };
        Felled(felled.into_iter()).tell();
    }

    /// True after [`cancel`](Self::cancel) on this token or one above it.
    #[inline]
    pub fn is_cancelled(&self) -> bool {
        // Acquire: pairs with the Release in `fell`; who stops sees why.
        self.node.cancelled.load(Ordering::Acquire)
    }

    /// Turns the handle into a guard that cancels the token when it is dropped.
    ///
    /// # Examples
    ///
    /// ```
    /// use trefoil::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let guard = token.clone().drop_guard();
    /// drop(guard); // or a panic, or an early return
    /// assert!(token.is_cancelled());
    /// ```
    pub fn drop_guard(self) -> DropGuard {
        DropGuard { token: Some(self) }
    }

    /// A guard that cancels the borrowed token when it is dropped.
    pub fn drop_guard_ref(&self) -> DropGuardRef<'_> {
        DropGuardRef { token: Some(self) }
    }

    /// What the clones share, for the futures.
    pub(crate) fn node(&self) -> &Node {
        &self.node
    }
}

impl Node {
    /// A node for the branch `key`.
    fn new(tree: Arc<Tree>, key: Key, cancelled: bool) -> Arc<Self> {
        Arc::new(Self {
            cancelled: AtomicBool::new(cancelled),
            notify: Notify::new(),
            tree,
            key,
        })
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let mut branches = self.tree.lock();
        if let Some(branch) = branches.get_mut(self.key) {
            branch.value.fork = true;
            Tree::prune(&mut branches, self.key);
        }
    }
}

impl Tree {
    /// Locks the tree. No user code runs under it, so a poisoned one is sound.
    fn lock(&self) -> MutexGuard<'_, Slab<list::Node<Branch>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a branch below `parent`, and makes its node.
    fn grow(self: &Arc<Self>, branches: &mut Slab<list::Node<Branch>>, parent: Key) -> Arc<Node> {
        let key = branches.insert(list::Node::new(Branch {
            node: Weak::new(),
            fork: false,
            parent: Key::NONE,
            children: List::new(),
        }));
        let node = Node::new(self.clone(), key, false);
        if let Some(branch) = branches.get_mut(key) {
            branch.value.node = Arc::downgrade(&node);
        }
        Self::hang(branches, key, parent);
        node
    }

    /// Hangs a loose branch on `parent`, or makes it a root.
    fn hang(branches: &mut Slab<list::Node<Branch>>, key: Key, parent: Key) {
        if let Some(branch) = branches.get_mut(key) {
            branch.value.parent = parent;
        }
        // The list is two keys: taken out, changed with the slab in hand, put back.
        if let Some(mut children) = branches.get(parent).map(|p| p.value.children) {
            children.push_back(branches, key);
            if let Some(p) = branches.get_mut(parent) {
                p.value.children = children;
            }
        }
    }

    /// Takes a branch off its parent, and says which that was.
    fn cut(branches: &mut Slab<list::Node<Branch>>, key: Key) -> Key {
        let parent = branches.get(key).map_or(Key::NONE, |b| b.value.parent);
        if let Some(mut children) = branches.get(parent).map(|p| p.value.children) {
            children.unlink(branches, key);
            if let Some(p) = branches.get_mut(parent) {
                p.value.children = children;
            }
        }
        parent
    }

    /// Takes out forks that part nothing: `key`, then what hung it, as long as there are any.
    fn prune(branches: &mut Slab<list::Node<Branch>>, mut key: Key) {
        while let Some(branch) = branches.get(key)
            && branch.value.fork
        {
            let first = branch.value.children.front();
            if first.is_some_and(|first| List::next(branches, first).is_some()) {
                return;
            }
            let parent = Self::cut(branches, key);
            if let Some(only) = first {
                Self::cut(branches, only);
                Self::hang(branches, only, parent);
            }
            branches.remove(key);
            key = parent;
        }
    }

    /// Removes the branch `key` and all below it, and flags their nodes, which are still to be
    /// told. Parents stand before their children.
    fn fell(branches: &mut Slab<list::Node<Branch>>, key: Key) -> Vec<Arc<Node>> {
        if branches.get(key).is_none() {
            return Vec::new();
        }
        let parent = Self::cut(branches, key);
        Self::prune(branches, parent);
        // Level by level. The list of keys is its own queue, so depth costs no stack.
        let mut keys = vec![key];
        let mut next = 0;
        while let Some(branch) = keys.get(next).and_then(|key| branches.get(*key)) {
            next += 1;
            let mut child = branch.value.children.front();
            while let Some(key) = child {
                keys.push(key);
                child = List::next(branches, key);
            }
        }
        let mut nodes = Vec::new();
        // Backwards: whoever sees a parent cancelled finds its children so, too.
        for key in keys.into_iter().rev() {
            let branch = branches.remove(key);
            if let Some(node) = branch.and_then(|branch| branch.value.node.upgrade()) {
                // Release: pairs with the Acquire in `is_cancelled`.
                node.cancelled.store(true, Ordering::Release);
                nodes.push(node);
            }
        }
        nodes.reverse();
        nodes
    }
}

/// Cancelled nodes whose waiters are to be woken, without a lock.
struct Felled(vec::IntoIter<Arc<Node>>);

impl Felled {
    /// Wakes them all. When a waker panics, `drop` goes on with the others.
    fn tell(&mut self) {
        for node in self.0.by_ref() {
            node.notify.notify_waiters();
        }
    }
}

impl Drop for Felled {
    fn drop(&mut self) {
        self.tell();
    }
}

/// Cancels its token when it is dropped; made by [`CancellationToken::drop_guard`].
#[derive(Debug)]
#[must_use = "dropped at once the token is cancelled"]
pub struct DropGuard {
    /// `None` when disarmed.
    token: Option<CancellationToken>,
}

impl DropGuard {
    /// Gives the token back; nothing is cancelled.
    pub fn disarm(mut self) -> CancellationToken {
        self.token.take().expect("a guard has its token until here")
    }
}

impl Drop for DropGuard {
    fn drop(&mut self) {
        if let Some(token) = self.token.take() {
            token.cancel();
        }
    }
}

/// Cancels the token it borrows when it is dropped; made by [`CancellationToken::drop_guard_ref`].
#[derive(Debug)]
#[must_use = "dropped at once the token is cancelled"]
pub struct DropGuardRef<'a> {
    /// `None` when disarmed.
    token: Option<&'a CancellationToken>,
}

impl<'a> DropGuardRef<'a> {
    /// Gives the token back; nothing is cancelled.
    pub fn disarm(mut self) -> &'a CancellationToken {
        self.token.take().expect("a guard has its token until here")
    }
}

impl Drop for DropGuardRef<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token {
            token.cancel();
        }
    }
}

impl Clone for CancellationToken {
    fn clone(&self) -> Self {
        Self {
            node: self.node.clone(),
        }
    }
}

impl Default for CancellationToken {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for CancellationToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancellationToken")
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}

#[cfg(all(test, not(trefoil_loom)))]
mod tests {
    use super::*;

    #[test]
    fn dead_ancestors_and_children_leave_the_tree() {
        let root = CancellationToken::new();
        let mut token = root.child_token();
        for _ in 0..1000 {
            token = token.child_token();
            drop(root.child_token());
        }
        assert_eq!(
            root.node.tree.lock().len(),
            2,
            "the root and the last of the line"
        );

        let leaves = [(); 2].map(|()| token.child_token());
        drop(token);
        assert_eq!(root.node.tree.lock().len(), 4, "a fork is kept");
        drop(leaves);
        assert_eq!(root.node.tree.lock().len(), 1);
        root.cancel();
        assert!(root.node.tree.lock().is_empty());
    }
}
