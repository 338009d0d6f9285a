//! Random changes of any object, led by its schema.

use archipel_crdt::schema::{Kind, Shape};
use archipel_crdt::value::Tree;

/// Choices, drawn one after the other from one number.
#[derive(Clone, Debug)]
struct Choices(u64);

impl Choices {
    fn below(&mut self, n: usize) -> usize {
        // Knuth's linear congruential generator; the high bits are the good ones.
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % n.max(1)
    }
}

/// Changes one place of `tree`, which one and how told by `choice`: a scalar gets another value; a field, an item or an
/// element goes or comes.
pub fn mutate(tree: &mut Tree, shape: Shape, choice: u64) {
    change(tree, shape, &mut Choices(choice));
}

fn change(tree: &mut Tree, shape: Shape, choices: &mut Choices) {
    match (shape.kind(), tree) {
        (Kind::Granular, Tree::Map(fields)) => match choices.below(12) {
            0 if shape.0.rest.is_some() => {
                let name = format!("new-{}", choices.below(4));
                fields.insert(name.as_str().into(), Tree::text(&format!("v{}", choices.below(4))));
            }
            1 if !fields.is_empty() => {
                let name = fields.keys().nth(choices.below(fields.len())).cloned().expect("a field");
                fields.remove(&name);
            }
            _ if !fields.is_empty() => {
                let at = choices.below(fields.len());
                let (name, value) = fields.iter_mut().nth(at).expect("a field");
                change(value, shape.child(name), choices);
            }
            _ => {}
        },
        (Kind::KeyedList(keys), Tree::List(items)) if !items.is_empty() => match choices.below(6) {
            0 => {
                items.remove(choices.below(items.len()));
            }
            1 => {
                // Another item of the same make, under a key that may be there already at a concurrent writer.
                let mut item = items[choices.below(items.len())].clone();
                if let Tree::Map(fields) = &mut item {
                    let n = choices.below(3);
                    let key = fields.get_mut(keys[0].name);
                    match key {
                        Some(Tree::Int(port)) => *port = 9_000 + n as i64,
                        Some(text) => *text = Tree::text(&format!("n{n}")),
                        None => {}
                    }
                }
                items.insert(choices.below(items.len() + 1), item);
            }
            2 => items.reverse(),
            _ => {
                let at = choices.below(items.len());
                change(&mut items[at], shape.item(), choices);
            }
        },
        (Kind::Set, Tree::List(items)) => {
            let element = Tree::text(&format!("e{}", choices.below(4)));
            match items.iter().position(|item| *item == element) {
                Some(at) => _ = items.remove(at),
                None => items.push(element),
            }
        }
        (Kind::FieldSet, leaf) => *leaf = Tree::Raw(format!("{{\"f:{}\":{{}}}}", choices.below(4)).into()),
        (_, leaf) => scalar(leaf, choices),
    }
}

fn scalar(leaf: &mut Tree, choices: &mut Choices) {
    match leaf {
        Tree::Bool(b) => *b = !*b,
        Tree::Int(n) => *n = choices.below(100) as i64,
        Tree::List(items) if !items.is_empty() => scalar(&mut items[0], choices),
        Tree::Map(fields) if !fields.is_empty() => {
            let at = choices.below(fields.len());
            scalar(fields.values_mut().nth(at).expect("a field"), choices);
        }
        other => *other = Tree::text(&format!("t{}", choices.below(100))),
    }
}
