//! `kvs dump`.

use super::args::DumpArgs;
use super::client::Remote;
use super::command::PAGE;
use super::outcome::{Outcome, err_msg, print_message};
use super::output::json;
use crate::disk::RealDisk;
use crate::protocol::Request;
use crate::{EngineKind, KvsError, Result, SledKvsEngine, kv_store};
use std::io::{self, BufWriter, Write};

pub(super) fn dump(args: &DumpArgs) -> Outcome {
    let mut output = BufWriter::with_capacity(1 << 20, io::stdout().lock());
    let mut print = |key: &str, value: &str| -> Result<()> {
        let request = Request::Set { key: key.to_owned(), value: value.to_owned() };
        Ok(output.write_all(json(&request).as_bytes())?)
    };
    let (mut keys, mut failed) = (0, 0);
    let of_dir = |dir| EngineKind::choose(None, dir).map(|engine| (engine, dir));
    match args.dir.as_deref().map(of_dir).transpose()? {
        None => keys = each_of_server(&args.remote.remote(), print)?,
        Some((EngineKind::Kvs, dir)) => {
            let report = kv_store::dump(&RealDisk, dir, print)?;
            keys = report.keys;
            if report.torn_bytes > 0 {
                print_message(&format!("{} bytes of a torn tail are left out", report.torn_bytes));
            }
        }
        // Sled would make one.
        Some((EngineKind::Sled, dir)) if !dir.join("sled").exists() => {
            return Err(KvsError::NoStore { dir: dir.to_owned() }.into());
        }
        Some((EngineKind::Sled, dir)) => SledKvsEngine::open(dir)?.for_each(|key, value| {
            if let (Ok(key), Ok(value)) = (str::from_utf8(key), str::from_utf8(value)) {
                keys += 1;
                return print(key, value);
            }
            failed += 1;
            let key = String::from_utf8_lossy(key);
            print_message(&format!("left out: the key {key:?} or its value is no UTF-8 text"));
            Ok(())
        })?,
    }
    output.flush()?;
    print_message(&format!("{keys} keys"));
    if failed > 0 { Err(err_msg(format!("{failed} more were left out"))) } else { Ok(()) }
}

/// Hands each key that the server has throughout to `take`, with a value that it has had meanwhile. Returns how many.
fn each_of_server(remote: &Remote, mut take: impl FnMut(&str, &str) -> Result<()>) -> Outcome<u64> {
    let (mut client, mut cursor, mut keys) = (remote.connect()?, None, 0);
    loop {
        let page = client.keys(cursor, PAGE)?;
        let values = page.keys.iter().map(|key| client.submit_get(key.clone()));
        for (key, value) in page.keys.iter().zip(values.collect::<Result<Vec<_>>>()?) {
            if let Some(value) = value.wait()? {
                take(key, &value)?;
                keys += 1;
            }
        }
        cursor = page.cursor;
        if cursor.is_none() {
            return Ok(keys);
        }
    }
}
