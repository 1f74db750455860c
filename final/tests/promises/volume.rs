//! A file system of its own whose power can be cut: an image, mounted through a loop device.
//!
//! The kernel's ioctl `FS_IOC_SHUTDOWN` (0x8004587d) with the flag 2 ends a file system as a power loss
//! does: nothing that it has in memory gets to the device any more, neither data nor journal. The
//! program `xfs_io` issues it, for ext4 too. Mounted again, the file system recovers from its journal.

use super::*;
use rustix::fs::statvfs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdin};

/// How long a file may take to be closed.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(20);

/// So much has to be free in memory for an image to be there, in bytes: more than it can grow to.
const ROOM: u64 = 512 << 20;

pub(crate) struct Volume {
    image: PathBuf,
    dir: PathBuf,
    /// The image, and the directory that it is mounted on.
    _place: TempDir,
}

impl Volume {
    /// Makes a file system of this kind, `ext4` or `xfs`, or says why it cannot be done here.
    pub(crate) fn new(kind: &str) -> Result<Volume, String> {
        // In memory if there is room: the disk below it keeps all that it is given, and is only slower.
        let memory = Path::new("/dev/shm");
        let has_room = statvfs(memory).is_ok_and(|room| room.f_bavail * room.f_frsize >= ROOM);
        let place = if has_room { memory.to_owned() } else { env::temp_dir() };
        Volume::within(&place, kind)
    }

    /// Makes one whose image is in this directory; the device fails if that file system does.
    pub(crate) fn within(place: &Path, kind: &str) -> Result<Volume, String> {
        let place = tempfile::tempdir_in(place).map_err(|error| error.to_string())?;
        let (image, dir) = (place.path().join("image"), place.path().join("mounted"));
        fs::create_dir(&dir).map_err(|error| error.to_string())?;
        // Of XFS there is none smaller.
        let empty = File::create(&image).and_then(|image| image.set_len(320 << 20));
        empty.map_err(|error| error.to_string())?;
        run(watched(&format!("mkfs.{kind}")).arg("-q").arg(&image))?;
        run(watched("xfs_io").arg("-V"))?;
        let volume = Volume { image, dir, _place: place };
        volume.mount()?;
        Ok(volume)
    }

    /// Where it is mounted.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Has what was written to a file put on the device, without what the file system knows of it, its
    /// length for one.
    pub(crate) fn write_back(&self, file: &Path) -> Result<(), String> {
        let [write, wait] = ["sync_range -w 0 0", "sync_range -a 0 0"];
        run(watched("xfs_io").args(["-c", write, "-c", wait]).arg(file))
    }

    /// Has everything ready to cut the power.
    pub(crate) fn switch(&self) -> Result<Switch, String> {
        // Before everybody else: what happens until it has its turn, nobody can be sure of.
        let mut command = watched("nice");
        command.args(["-n", "-20", "xfs_io", "-x"]).arg(&self.dir);
        command.stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (input, errors) = (child.stdin.take(), child.stderr.take());
        let mut switch = Switch { child, input: input.ok_or("no input")? };
        // When it says that there is no such command, it listens.
        switch.say("listen")?;
        let answer = BufReader::new(errors.ok_or("no errors")?).read_line(&mut String::new());
        answer.map(|_| switch).map_err(|error| error.to_string())
    }

    /// Turns it on again. Nobody may have a file open, but somebody may be just closing one.
    pub(crate) fn restore(&self) -> Result<(), String> {
        let since = Instant::now();
        while let Err(error) = run(watched("umount").arg(&self.dir)) {
            if !error.contains("busy") || since.elapsed() > CLOSE_TIMEOUT {
                return Err(error);
            }
            thread::sleep(Duration::from_millis(10));
        }
        self.mount()
    }

    fn mount(&self) -> Result<(), String> {
        run(watched("mount").args(["-o", "loop"]).arg(&self.image).arg(&self.dir))
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Also from under those who hang in it: the image goes with the directory.
        let _ = watched("umount").arg("--lazy").arg(&self.dir).status();
    }
}

/// What cuts the power, ready.
pub(crate) struct Switch {
    child: Child,
    input: ChildStdin,
}

impl Switch {
    /// Cuts it. When this returns every write fails. What returns to anybody from the moment on at
    /// which this was called is not to be believed: a machine without power says nothing, but here
    /// the process lives on, and a sync that is under way may succeed without having done its work.
    pub(crate) fn cut(mut self) -> Result<(), String> {
        self.say("shutdown")?;
        self.say("quit")?;
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            other => Err(format!("xfs_io ended with {other:?}")),
        }
    }

    fn say(&mut self, word: &str) -> Result<(), String> {
        writeln!(self.input, "{word}").map_err(|error| format!("xfs_io: {error}"))
    }
}

/// A program that is ended if it does not end by itself.
fn watched(program: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--kill-after", "1", "60", program]);
    command
}
