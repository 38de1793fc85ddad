//! Makes a failing schedule as small as it goes: what does not matter for the failure is left out.

use std::collections::BTreeMap;

use crate::replay;
use crate::schedule::{Disk, FaultPlan, Reply, Schedule};

/// Schedules that are tried at most.
const TRIES_MAX: u32 = 20_000;

/// Shrinks a schedule that fails, to one that fails in the same words.
pub(crate) fn shrink(schedule: Schedule) -> Schedule {
    if schedule.start.is_checked {
        return schedule;
    }
    let mut shrinking = Shrinking { best: schedule, tries: 0 };
    let mut before = usize::MAX;
    while shrinking.size() < before && shrinking.tries < TRIES_MAX {
        before = shrinking.size();
        shrinking.lives();
        shrinking.happenings();
        shrinking.rows();
        shrinking.values();
    }
    shrinking.best
}

impl Schedule {
    /// Counts what happens in it.
    pub(crate) fn size(&self) -> usize {
        self.lives.iter().map(FaultPlan::size).sum()
    }
}

impl FaultPlan {
    fn size(&self) -> usize {
        let asks = self.asks.len() + self.abandons.len();
        let outputs = self.appends.len() + self.syncs.len();
        let maps = asks + outputs + self.commits.len() + self.marks.len();
        maps + self.events.len() + self.before.len() + usize::from(self.limit.is_some())
    }
}

struct Shrinking {
    best: Schedule,
    tries: u32,
}

impl Shrinking {
    fn size(&self) -> usize {
        self.best.size() + self.best.lives.len() + self.best.start.rows.len()
    }

    /// Keeps a change if what is left still fails in the same words.
    fn attempt(&mut self, change: impl FnOnce(&mut Schedule)) -> bool {
        let mut smaller = self.best.clone();
        change(&mut smaller);
        if smaller == self.best || self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let fails = replay(&smaller, false).err();
        let same =
            fails.is_some_and(|words| without_digits(&words) == without_digits(&self.best.shows));
        if same {
            self.best = smaller;
        }
        same
    }

    fn lives(&mut self) {
        let mut at = self.best.lives.len();
        while at > 0 {
            at -= 1;
            self.attempt(|schedule| drop(schedule.lives.remove(at)));
        }
    }

    fn happenings(&mut self) {
        for life in 0..self.best.lives.len() {
            self.attempt(|schedule| schedule.lives[life].limit = None);
            self.thin(|s| &mut s.lives[life].asks);
            self.thin(|s| &mut s.lives[life].abandons);
            self.thin(|s| &mut s.lives[life].commits);
            self.thin(|s| &mut s.lives[life].appends);
            self.thin(|s| &mut s.lives[life].syncs);
            self.thin(|s| &mut s.lives[life].marks);
            self.thin(|s| &mut s.lives[life].events);
            let mut at = self.best.lives[life].before.len();
            while at > 0 {
                at -= 1;
                self.attempt(|schedule| drop(schedule.lives[life].before.remove(at)));
            }
        }
    }

    /// Leaves out halves, quarters and so on, down to single ones.
    fn thin<T: Clone>(&mut self, of: impl Fn(&mut Schedule) -> &mut BTreeMap<u64, T>) {
        let mut step = of(&mut self.best).len();
        while step > 0 {
            let keys: Vec<u64> = of(&mut self.best).keys().copied().collect();
            for chunk in keys.chunks(step).rev() {
                self.attempt(|schedule| {
                    of(schedule).retain(|key, _| !chunk.contains(key));
                });
            }
            step /= 2;
        }
    }

    fn rows(&mut self) {
        let mut step = self.best.start.rows.len();
        while step > 0 {
            let mut to = self.best.start.rows.len();
            while to > 0 {
                let from = to.saturating_sub(step);
                self.attempt(|schedule| drop(schedule.start.rows.drain(from..to)));
                to = from;
            }
            step /= 2;
        }
    }

    fn values(&mut self) {
        for width in [1, 2, 3] {
            if width < self.best.start.width && self.attempt(|s| s.start.width = width) {
                break;
            }
        }
        self.attempt(|schedule| schedule.start.models = 1);
        for samples in [1, 2] {
            self.attempt(|schedule| {
                schedule.start.samples = samples.min(schedule.start.samples);
            });
        }
        self.attempt(|schedule| schedule.start.seed = 0);
        self.attempt(|schedule| schedule.start.pause_on_error = false);
        for life in 0..self.best.lives.len() {
            let asks: Vec<u64> = self.best.lives[life].asks.keys().copied().collect();
            for ask in asks {
                let usual = Reply::default().ms;
                self.attempt(|schedule| {
                    if let Some(reply) = schedule.lives[life].asks.get_mut(&ask) {
                        reply.ms = usual;
                    }
                });
            }
            self.usual_times(|schedule| &mut schedule.lives[life].commits);
            self.usual_times(|schedule| &mut schedule.lives[life].syncs);
            self.usual_times(|schedule| &mut schedule.lives[life].marks);
        }
    }

    fn usual_times(&mut self, of: impl Fn(&mut Schedule) -> &mut BTreeMap<u64, Disk>) {
        let keys: Vec<u64> = of(&mut self.best).keys().copied().collect();
        for key in keys {
            self.attempt(|schedule| {
                if let Some(disk) = of(schedule).get_mut(&key) {
                    disk.ms = Disk::default().ms;
                }
            });
        }
    }
}

fn without_digits(words: &str) -> String {
    words.chars().filter(|c| !c.is_ascii_digit()).collect()
}
