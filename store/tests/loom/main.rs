//! Every interleaving of the two protocols in which one could lose something: the hand-over to the log writer, and a
//! watcher's registration. The store's own source files are compiled here over loom's types. Each model is shown to
//! catch a mistake that is planted on purpose.
// The same sources over two sets of types are the point of this file.
#![allow(clippy::duplicate_mod, clippy::unwrap_used, dead_code, unreachable_pub)]

use std::process::Command;
use std::task::Poll;

mod deaf;
mod faithful;
mod shims;

fn explore(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(model);
}

/// Runs a test of this file again in a process of its own, where its mistake is planted, and says whether the model
/// noticed it with `complaint`. A process, because loom aborts when a failed model drops what it holds.
fn is_caught(test: &str, complaint: &str, planted: impl Fn() + Sync + Send + 'static) -> bool {
    const PLANTED: &str = "ARCHIPEL_LOOM_PLANTED";
    if std::env::var_os(PLANTED).is_some() {
        explore(planted);
        return false;
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    let output = again.args([test, "--exact", "--nocapture"]).env(PLANTED, "1").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    !output.status.success() && said.contains(complaint)
}

/// Order of the writer's last two steps.
#[derive(Clone, Copy, PartialEq)]
enum Order {
    PublishFirst,
    CompleteFirst,
}

/// Two clients and a writer. Each commit is acknowledged, and what is acknowledged is published.
macro_rules! hand_over {
    ($protocol:ident, $order:expr) => {
        move || {
            use loom::sync::atomic::{AtomicU64, Ordering};
            use shims::Arc;
            let queue = Arc::new($protocol::queue::CommitQueue::new(0_u64));
            let published = Arc::new(AtomicU64::new(0));
            let writer = {
                let (queue, published) = (queue.clone(), published.clone());
                loom::thread::spawn(move || {
                    while let Some((newest, completion)) = queue.next(|newest| *newest) {
                        if $order == Order::CompleteFirst {
                            completion.complete(Ok(()));
                        }
                        published.store(newest, Ordering::Release);
                        completion.complete(Ok(()));
                        queue.finish();
                    }
                })
            };
            let client = {
                let (queue, published) = (queue.clone(), published.clone());
                loom::thread::spawn(move || {
                    let mut entered = queue.enter().unwrap();
                    *entered += 1;
                    let mine = *entered;
                    let completion = match entered.push_or_take(|newest| *newest) {
                        $protocol::queue::Pushed::Waits(place) => {
                            if place.rings {
                                queue.ring();
                            }
                            place.completion
                        }
                        $protocol::queue::Pushed::Writes(newest, completion) => {
                            assert!(published.load(Ordering::Acquire) < newest, "two write at once");
                            published.store(newest, Ordering::Release);
                            completion.complete(Ok(()));
                            queue.finish();
                            completion
                        }
                    };
                    let mut slot = None;
                    let outcome = loom::future::block_on(std::future::poll_fn(|context| -> Poll<_> {
                        completion.poll(context, &mut slot)
                    }));
                    assert_eq!(outcome, Ok(()));
                    assert!(published.load(Ordering::Acquire) >= mine, "acknowledged before it was published");
                })
            };
            let mut entered = queue.enter().unwrap();
            *entered += 1;
            let mine = *entered;
            let place = entered.push();
            if place.rings {
                queue.ring();
            }
            assert_eq!(place.completion.wait(), Ok(()));
            assert!(published.load(Ordering::Acquire) >= mine, "acknowledged before it was published");
            // Who changes nothing waits for what it has read.
            let entered = queue.enter().unwrap();
            let read = *entered;
            if let Some(completion) = entered.settle() {
                assert_eq!(completion.wait(), Ok(()));
            }
            assert!(published.load(Ordering::Acquire) >= read, "an answer shows what is not published");
            client.join().unwrap();
            queue.close();
            writer.join().unwrap();
            assert_eq!(published.load(Ordering::Acquire), 2);
        }
    };
}

#[test]
fn hand_over_loses_nothing_and_acknowledges_what_is_published() {
    explore(hand_over!(faithful, Order::PublishFirst));
}

#[test]
fn hand_over_catches_an_acknowledgement_before_the_publication() {
    assert!(is_caught(
        "hand_over_catches_an_acknowledgement_before_the_publication",
        "acknowledged before it was published",
        hand_over!(faithful, Order::CompleteFirst)
    ));
}

#[test]
fn hand_over_catches_a_lost_wake_up() {
    assert!(is_caught("hand_over_catches_a_lost_wake_up", "deadlock", hand_over!(deaf, Order::PublishFirst)));
}

/// The log fails while a client commits: it is refused, never left waiting.
#[test]
fn a_stop_refuses_everyone() {
    explore(|| {
        use faithful::completion::Stopped;
        use shims::Arc;
        let queue = Arc::new(faithful::queue::CommitQueue::new(0_u64));
        let writer = {
            let queue = queue.clone();
            loom::thread::spawn(move || {
                if queue.next(|_| ()).is_some() {
                    queue.stop(Stopped("the disk failed".into()));
                    queue.finish();
                }
                assert!(queue.next(|_| ()).is_none());
            })
        };
        let commit = |queue: &faithful::queue::CommitQueue<u64>| {
            queue.enter().map(|entered| {
                let place = entered.push();
                if place.rings {
                    queue.ring();
                }
                place.completion.wait()
            })
        };
        let client = {
            let queue = queue.clone();
            loom::thread::spawn(move || commit(&queue))
        };
        let is_refused = |outcome: Result<Result<(), Stopped>, Stopped>| outcome.and_then(|waited| waited).is_err();
        assert!(is_refused(commit(&queue)));
        assert!(is_refused(client.join().unwrap()));
        writer.join().unwrap();
    });
}

/// Three tasks of two threads wait for one batch; the first of a thread gives up at some moment. The others are woken.
#[test]
fn a_group_is_woken_when_its_first_gives_up() {
    explore(|| {
        use shims::Arc;
        let completion = faithful::completion::Completion::new();
        let waiting = {
            let completion = completion.clone();
            loom::thread::spawn(move || {
                let (mut first, mut second) = (None, None);
                loom::future::block_on(std::future::poll_fn(|context| -> Poll<()> {
                    let ignored = std::task::Context::from_waker(std::task::Waker::noop());
                    if first.is_none() && second.is_none() && completion.poll(&ignored, &mut first).is_ready() {
                        return Poll::Ready(());
                    }
                    let outcome = completion.poll(context, &mut second);
                    if let Some(first) = first.take() {
                        completion.abandon(first);
                    }
                    outcome.map(|_| ())
                }));
            })
        };
        let other = Arc::clone(&completion);
        let third = loom::thread::spawn(move || assert_eq!(other.wait(), Ok(())));
        completion.complete(Ok(()));
        waiting.join().unwrap();
        third.join().unwrap();
    });
}

const LAST: i64 = 4;

/// What the writer publishes, and in which order it does that.
trait Publishing: Send + Sync + 'static {
    fn new() -> Self;
    fn publish(&self, revision: i64);
    fn load(&self) -> i64;
    fn subscribe(&self) -> shims::Subscription;
}

impl Publishing for faithful::publication::Publication<i64> {
    fn new() -> Self {
        Self::new(1, 1)
    }

    fn publish(&self, revision: i64) {
        self.publish(revision, revision);
    }

    fn load(&self) -> i64 {
        *self.load()
    }

    fn subscribe(&self) -> shims::Subscription {
        self.subscribe()
    }
}

/// Raises the signal before the state is there.
struct Hasty {
    current: shims::Cell<i64>,
    signal: shims::Signal,
}

impl Publishing for Hasty {
    fn new() -> Self {
        Hasty { current: shims::Cell::new(shims::Arc::new(1)), signal: shims::Signal::new(1) }
    }

    fn publish(&self, revision: i64) {
        self.signal.raise(revision);
        self.current.store(shims::Arc::new(revision));
    }

    fn load(&self) -> i64 {
        *self.current.load()
    }

    fn subscribe(&self) -> shims::Subscription {
        self.signal.subscribe()
    }
}

/// A watcher registers while revisions are published. It sees each from its start on, once, and never waits in vain.
/// `late`: it subscribes after the load that told it to wait.
fn registration<P: Publishing>(late: bool) -> impl Fn() + Send + Sync + 'static {
    move || {
        let publication = shims::Arc::new(P::new());
        let writer = {
            let publication = publication.clone();
            loom::thread::spawn(move || (2..=LAST).step_by(2).for_each(|revision| publication.publish(revision)))
        };
        let mut subscription = (!late).then(|| publication.subscribe());
        let mut next = publication.load() + 1;
        let mut seen = Vec::new();
        let start = next;
        while next <= LAST {
            let current = publication.load();
            if current < next {
                subscription.get_or_insert_with(|| publication.subscribe()).changed();
                continue;
            }
            seen.extend(next..=current);
            next = current + 1;
        }
        assert_eq!(seen, (start..=LAST).collect::<Vec<_>>(), "no gap, no duplicate");
        writer.join().unwrap();
    }
}

#[test]
fn registration_has_no_gap_and_no_duplicate() {
    explore(registration::<faithful::publication::Publication<i64>>(false));
}

#[test]
fn registration_catches_a_signal_before_the_state() {
    assert!(is_caught("registration_catches_a_signal_before_the_state", "deadlock", registration::<Hasty>(false)));
}

#[test]
fn registration_catches_a_late_subscription() {
    assert!(is_caught(
        "registration_catches_a_late_subscription",
        "deadlock",
        registration::<faithful::publication::Publication<i64>>(true)
    ));
}
