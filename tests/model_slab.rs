//! The slab and the lists in it against a map and queues: the same operations, the same answers.

#![allow(
    dead_code,
    reason = "both are included whole, with what only the crate uses"
)]

use std::collections::{HashMap, HashSet, VecDeque};

use proptest::prelude::*;

#[path = "../src/parts"]
mod parts {
    pub(crate) mod list;
    pub(crate) mod slab;
}

// The included files name each other as parts of this crate.
use parts::list::{List, Node};
use parts::slab::{Key, Slab};

/// One step of a random run; a number picks one of the keys that were ever given out.
#[derive(Debug, Clone)]
enum SlabStep {
    Insert(u32),
    Remove(usize),
    Get(usize),
    Change(usize, u32),
}

fn slab_step() -> impl Strategy<Value = SlabStep> {
    prop_oneof![
        3 => any::<u32>().prop_map(SlabStep::Insert),
        2 => any::<usize>().prop_map(SlabStep::Remove),
        1 => any::<usize>().prop_map(SlabStep::Get),
        1 => (any::<usize>(), any::<u32>()).prop_map(|(which, to)| SlabStep::Change(which, to)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2_000), ..ProptestConfig::default() })]

    #[test]
    fn a_slab_does_what_a_map_does_and_a_stale_key_finds_nothing(
        steps in prop::collection::vec(slab_step(), 1..200),
    ) {
        let mut slab = Slab::new();
        let mut model = HashMap::new();
        let mut keys: Vec<Key> = Vec::new();
        let pick = |keys: &[Key], which: usize| {
            if keys.is_empty() { Key::NONE } else { keys[which % keys.len()] }
        };
        for step in steps {
            match step {
                SlabStep::Insert(value) => {
                    let key = slab.insert(value);
                    prop_assert_eq!(model.insert(key, value), None, "a key was given out twice");
                    prop_assert_eq!(Key::from_u64(key.to_u64()), key);
                    keys.push(key);
                }
                SlabStep::Remove(which) => {
                    let key = pick(&keys, which);
                    prop_assert_eq!(slab.remove(key), model.remove(&key));
                }
                SlabStep::Get(which) => {
                    let key = pick(&keys, which);
                    prop_assert_eq!(slab.get(key), model.get(&key));
                }
                SlabStep::Change(which, to) => {
                    let key = pick(&keys, which);
                    let old = slab.get_mut(key).map(|value| std::mem::replace(value, to));
                    let model_old = model.get_mut(&key).map(|value| std::mem::replace(value, to));
                    prop_assert_eq!(old, model_old);
                }
            }
            prop_assert_eq!(slab.len(), model.len());
            prop_assert_eq!(slab.is_empty(), model.is_empty());
        }
        let all: HashMap<Key, u32> = slab.iter().map(|(key, value)| (key, *value)).collect();
        prop_assert_eq!(&all, &model);
        let slots: HashSet<u32> = all.keys().map(|key| key.to_u64() as u32).collect();
        prop_assert_eq!(slots.len(), all.len(), "two values in one slot");
    }
}

/// Lists that share one slab.
const LISTS: usize = 3;

/// One step of a random run over several lists.
#[derive(Debug, Clone)]
enum ListStep {
    PushBack(usize),
    PopFront(usize),
    /// Unlinks the n-th node of a list and puts it at the end of another.
    Move(usize, usize, usize),
    /// Unlinks the n-th node of a list and removes it.
    Remove(usize, usize),
}

fn list_step() -> impl Strategy<Value = ListStep> {
    let list = 0..LISTS;
    prop_oneof![
        3 => list.clone().prop_map(ListStep::PushBack),
        2 => list.clone().prop_map(ListStep::PopFront),
        2 => (list.clone(), any::<usize>(), list.clone())
            .prop_map(|(from, which, to)| ListStep::Move(from, which, to)),
        2 => (list, any::<usize>()).prop_map(|(from, which)| ListStep::Remove(from, which)),
    ]
}

/// What a list holds, from the front.
fn contents(slab: &Slab<Node<u32>>, list: &List) -> Vec<(Key, u32)> {
    let mut out = Vec::new();
    let mut next = list.front();
    while let Some(key) = next {
        out.push((
            key,
            slab.get(key).expect("a linked node is in the slab").value,
        ));
        next = List::next(slab, key);
    }
    out
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(2_000), ..ProptestConfig::default() })]

    #[test]
    fn lists_in_one_slab_do_what_queues_do(steps in prop::collection::vec(list_step(), 1..200)) {
        let mut slab = Slab::new();
        let mut lists = [List::new(); LISTS];
        let mut model: [VecDeque<(Key, u32)>; LISTS] = Default::default();
        for (number, step) in steps.into_iter().enumerate() {
            let value = number as u32;
            match step {
                ListStep::PushBack(list) => {
                    let key = slab.insert(Node::new(value));
                    lists[list].push_back(&mut slab, key);
                    model[list].push_back((key, value));
                }
                ListStep::PopFront(list) => {
                    let popped = lists[list].pop_front(&mut slab);
                    prop_assert_eq!(popped, model[list].pop_front().map(|(_, value)| value));
                }
                ListStep::Move(from, which, to) => {
                    if model[from].is_empty() {
                        continue;
                    }
                    let which = which % model[from].len();
                    let node = model[from].remove(which).expect("in range");
                    lists[from].unlink(&mut slab, node.0);
                    lists[to].push_back(&mut slab, node.0);
                    model[to].push_back(node);
                }
                ListStep::Remove(from, which) => {
                    if model[from].is_empty() {
                        continue;
                    }
                    let which = which % model[from].len();
                    let (key, value) = model[from].remove(which).expect("in range");
                    lists[from].unlink(&mut slab, key);
                    prop_assert_eq!(slab.remove(key).map(|node| node.value), Some(value));
                }
            }
            for (list, model) in lists.iter().zip(&model) {
                prop_assert_eq!(&contents(&slab, list), &Vec::from(model.clone()));
                prop_assert_eq!(list.is_empty(), model.is_empty());
            }
        }
    }
}

/// The number of cases: `default`, or what PROPTEST_CASES says.
fn cases(default: u32) -> u32 {
    std::env::var("PROPTEST_CASES")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}
