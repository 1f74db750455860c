//! `kvs restore`.

use super::args::RestoreArgs;
use super::outcome::{Outcome, ResultExt, err_msg};
use crate::os;
use crate::protocol::{self, Request};
use crate::{
    Durability, EngineKind, KvStoreOptions, KvsEngine, KvsError, Pending, Result, SledKvsEngine,
};
use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::Path;

/// How many requests to a server are under way at most.
const UNDER_WAY: usize = 1000;
/// The longest line in bytes: that of the longest key and value, if each of their bytes takes six.
const MAX_LINE: u64 = 6 * (65 << 20);

pub(super) fn restore(args: &RestoreArgs) -> Outcome {
    let mut input = BufReader::with_capacity(1 << 20, io::stdin());
    let (done, result) = match &args.dir {
        None => {
            let mut client = args.remote.remote().connect()?;
            let first = read(&mut input);
            set_all(input, first, |key, value| client.submit_set(key, value).map(Some))
        }
        Some(dir) => {
            refuse_unless_empty(dir)?;
            // Before the directory is made.
            let first = Ok(read(&mut input).with_context(|_| "line 1, nothing is restored")?);
            match args.engine.unwrap_or(EngineKind::Kvs) {
                EngineKind::Kvs => {
                    let store = KvStoreOptions::new().durability(Durability::Os).open(dir)?;
                    let all = set_all(input, first, in_engine(store.clone()));
                    store.sync()?;
                    all
                }
                EngineKind::Sled => {
                    let all = set_all(input, first, in_engine(SledKvsEngine::open(dir)?));
                    // Which files there are, only sled knows.
                    os::sync_file_system(&File::open(dir)?)?;
                    all
                }
            }
        }
    };
    result.with_context(|_| format!("line {}, the lines before it are restored", done + 1))?;
    Ok(writeln!(io::stdout(), "{done} keys are restored")?)
}

/// A new store is not mixed with anything.
pub(super) fn refuse_unless_empty(dir: &Path) -> Outcome {
    let mut names = match fs::read_dir(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        names => names.map_err(KvsError::at(dir))?.map(|entry| Ok(entry?.file_name())),
    };
    // A new file system has this directory in it.
    match names.find(|name: &io::Result<_>| !name.as_ref().is_ok_and(|name| name == "lost+found")) {
        None => Ok(()),
        Some(_) => Err(err_msg(format!("{}: is not empty", dir.display()))),
    }
}

/// The key and the value of the next line; none at the end.
fn read(input: &mut impl BufRead) -> Result<Option<(String, String)>> {
    let mut line = Vec::new();
    if input.take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    match protocol::decode(&line)? {
        Request::Set { key, value } => Ok(Some((key, value))),
        _ => Err(KvsError::Protocol("this is no request to set a key".to_owned())),
    }
}

fn in_engine(engine: impl KvsEngine) -> impl FnMut(String, String) -> Result<Option<Pending<()>>> {
    move |key, value| engine.set(key, value).map(|()| None)
}

/// Sets the first key and those that follow, until something fails. `set` may give an answer to wait for.
/// Returns how many were set, which is always the first so many lines.
fn set_all(
    mut input: impl BufRead,
    first: Result<Option<(String, String)>>,
    mut set: impl FnMut(String, String) -> Result<Option<Pending<()>>>,
) -> (u64, Result<()>) {
    let (mut done, mut under_way, mut next) = (0, VecDeque::new(), first);
    loop {
        let most = if let Ok(Some(_)) = next { UNDER_WAY } else { 0 };
        while under_way.len() > most
            && let Some(answer) = under_way.pop_front().map(Pending::wait)
        {
            match answer {
                Ok(()) => done += 1,
                error => return (done, error),
            }
        }
        let (key, value) = match next {
            Ok(Some(pair)) => pair,
            end => return (done, end.map(drop)),
        };
        next = set(key, value).and_then(|answer| {
            done += u64::from(answer.is_none());
            under_way.extend(answer);
            read(&mut input)
        });
    }
}
