//! The power goes: a file system that loses everything that was not synced.
//!
//! ext4 in an image, shut down by an ioctl without flushing its log, is to the files in it what a
//! power cut is: what was synced is there after the next mount, the rest is not.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fs_err as fs;
use rustix::process::Signal;

use crate::shim::{Action, Rule};
use crate::table::Outcome;
use crate::world::{Begin, Lab, Shape, World};
use crate::{check, signals, table};

/// `EXT4_IOC_SHUTDOWN`, which takes one of the flags below.
const SHUTDOWN: rustix::ioctl::Opcode = 0x8004_587d;
/// At once, and nothing of the log is written.
const NO_LOG_FLUSH: u32 = 2;
/// Large enough for the outputs of one round.
const IMAGE_BYTES: u64 = 96 << 20;
/// Cuts in one round.
const CUTS: u64 = 4;

const LOG: &str = "/dset.db-wal";

/// When the power goes; where an operation is named, the process is killed there first, so that it
/// is not ahead of the cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    AnyTime,
    SlowSync,
    Synced,
    Renamed,
    End,
}

const KINDS: [(Kind, &str); 5] = [
    (Kind::AnyTime, "at any moment"),
    (Kind::SlowSync, "before a commit's sync"),
    (Kind::Synced, "after a commit's sync"),
    (Kind::Renamed, "after a bookmark's rename"),
    (Kind::End, "at the end"),
];

/// A file system in a file.
pub(crate) struct Disk {
    image: PathBuf,
    mounted: PathBuf,
    is_mounted: AtomicBool,
}

impl Disk {
    /// Makes and mounts it, and tries one cut; fails where this machine or user cannot.
    pub(crate) fn make(lab: &Lab) -> io::Result<Disk> {
        let disk = Disk {
            image: lab.base.join("disk.img"),
            mounted: lab.base.join("disk"),
            is_mounted: AtomicBool::new(false),
        };
        fs::File::create(&disk.image)?.set_len(IMAGE_BYTES)?;
        fs::create_dir_all(&disk.mounted)?;
        command("mkfs.ext4", &["-q".as_ref(), "-F".as_ref(), &disk.image])?;
        disk.mount()?;
        fs::write(disk.mounted.join("synced"), "x")?;
        fs::File::open(disk.mounted.join("synced"))?.sync_all()?;
        fs::File::open(&disk.mounted)?.sync_all()?;
        fs::write(disk.mounted.join("not-synced"), "x")?;
        disk.cut()?;
        disk.restore()?;
        // A cut that loses nothing, or everything, is none.
        let (kept, lost) = (disk.mounted.join("synced"), disk.mounted.join("not-synced"));
        if fs::read(kept).ok().as_deref() != Some(b"x") || lost.exists() {
            return Err(io::Error::other("this file system does not lose what was not synced"));
        }
        Ok(disk)
    }

    fn mount(&self) -> io::Result<()> {
        let options: &Path = "-oloop".as_ref();
        command("mount", &[options, &self.image, &self.mounted])?;
        self.is_mounted.store(true, Ordering::Relaxed);
        Ok(())
    }

    fn unmount(&self) -> io::Result<()> {
        command("umount", &[&self.mounted])?;
        self.is_mounted.store(false, Ordering::Relaxed);
        Ok(())
    }

    /// Cuts the power: the file system shuts down without a sync.
    #[allow(unsafe_code, reason = "an ioctl is what the library cannot know to be safe")]
    fn cut(&self) -> io::Result<()> {
        let folder = fs::File::open(&self.mounted)?;
        // SAFETY: this ioctl reads one u32 from the address it is given, which `Setter` points at.
        unsafe {
            let flags = rustix::ioctl::Setter::<SHUTDOWN, u32>::new(NO_LOG_FLUSH);
            rustix::ioctl::ioctl(folder.file(), flags)?;
        }
        Ok(())
    }

    /// Switches it on again: what the log has is replayed.
    fn restore(&self) -> io::Result<()> {
        self.unmount()?;
        if self.mount().is_err() {
            command("e2fsck", &["-p".as_ref(), &self.image])?;
            self.mount()?;
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_mounted.load(Ordering::Relaxed) {
            let _ = self.unmount();
        }
    }
}

fn command(name: &str, arguments: &[&Path]) -> io::Result<()> {
    let ran = Command::new(name).args(arguments).output()?;
    match ran.status.success() {
        true => Ok(()),
        false => {
            let said = String::from_utf8_lossy(&ran.stderr).trim().to_owned();
            Err(io::Error::other(format!("{name}: {said}")))
        }
    }
}

/// One round: a world on that file system, cuts at random moments, and its end.
pub(crate) fn round(lab: &Lab, disk: &Disk, seed: u64) -> io::Result<Outcome> {
    let mut random = fastrand::Rng::with_seed(seed);
    let shape = Shape {
        questions: (30, 120),
        width: (1, 16),
        latency_ms: (0, 8),
        answer_bytes: (100, 4000),
        refused_every: 9,
        faults: false,
    };
    let base = lab.base.join(format!("power-{seed}"));
    let mut world = World::new(lab, base, &mut random, shape)?;
    // The files are on the disk that loses its power; the acknowledgements, and what else is known
    // from outside, are not.
    let on_disk = disk.mounted.join(format!("power-{seed}"));
    fs::create_dir_all(&on_disk)?;
    fs::create_dir_all(on_disk.with_extension("tmp"))?;
    fs::write(on_disk.join("q.csv"), world.input())?;
    command("sync", &["-f".as_ref(), &on_disk])?;
    world.move_to(on_disk.clone());

    let (kind, name) = KINDS[(seed % KINDS.len() as u64) as usize];
    let mut outcome = Outcome::new(name, table::again("power", seed));
    for _ in 0..CUTS {
        // Killed there, and the power goes at the same moment: before the kernel can write on.
        let at = |ops, path, nth, action| vec![Rule::once(ops, path, nth, action)];
        let rules = match kind {
            Kind::AnyTime | Kind::End => Vec::new(),
            Kind::SlowSync => at("s", LOG, random.u64(5..=20), Action::KillLate),
            Kind::Synced => at("s", LOG, random.u64(1..=20), Action::KillAfter),
            Kind::Renamed => at("r", "/q.csv", 1, Action::KillAfter),
        };
        let mut life = world.begin(&Begin { rules: &rules, ..Begin::default() })?;
        let ms = if kind == Kind::AnyTime { random.u64(0..=300) } else { 20_000 };
        life.let_live(Duration::from_millis(ms))?;
        // What is acknowledged after the power went, in the moment before the kill, is no promise:
        // it would reach no reader. The kernel may let a sync succeed then, when the log that it
        // waited for has been given up meanwhile.
        let acks = world.base.join("acks");
        let promised = fs::metadata(&acks)?.len();
        disk.cut()?;
        life.signal(Signal::KILL);
        let ran = world.wait(life)?;
        fs::OpenOptions::new().write(true).open(&acks)?.set_len(promised)?;
        disk.restore()?;
        outcome.kills += 1;
        world.cut_lives += 1;
        if world.path("dset_generator/dset.db").exists() {
            check::store(&world).into_iter().for_each(|violation| world.fail(violation));
        } else if !world.acked_keys().is_empty() {
            world.fail("the store is gone, and answers were acknowledged");
        }
        if matches!(ran.code(), Some(0 | 3)) {
            // Over before the power went: all of it was said to be there.
            signals::orderly(&mut world);
            break;
        }
        if !world.violations.is_empty() {
            break;
        }
    }
    world.finish()?;
    let found = check::whole(&mut world)?;
    if !world.violations.is_empty() {
        let _ = command("cp", &["-a".as_ref(), &on_disk, &world.base.join("disk")]);
    }
    let _ = fs::remove_dir_all(&on_disk);
    let _ = fs::remove_dir_all(on_disk.with_extension("tmp"));
    outcome.add(&world, found);
    Ok(outcome)
}
