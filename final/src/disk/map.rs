//! A file's bytes as memory. The only file here with `unsafe` code.

use super::Map;
use memmap2::{MmapOptions, MmapRaw};
use std::fs::File;
use std::io;

/// Maps the whole of `file`.
pub(super) fn map(file: &File) -> io::Result<Box<dyn Map>> {
    Ok(Box::new(MmapOptions::new().map_raw_read_only(file)?))
}

impl Map for MmapRaw {
    #[allow(unsafe_code)]
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).ok();
        match offset.and_then(|offset| Some((offset, offset.checked_add(buffer.len())?))) {
            Some((offset, end)) if end <= self.len() => {
                // SAFETY: the bytes from `offset` to `end` are in the map, as was just looked up, and
                // the map is there for as long as `self`. The buffer is somebody's own, so the two
                // do not overlap. No reference into the map is ever made: other processes may change
                // the file, and then the copy has some old and some new bytes, which as bytes are
                // all valid. Whatever is concluded, is concluded from the copy.
                //
                // If the file was cut, or the disk fails to bring a page, the system ends the process
                // by SIGBUS. That is the price, and not undefined behaviour.
                unsafe {
                    let from = self.as_ptr().add(offset);
                    from.copy_to_nonoverlapping(buffer.as_mut_ptr(), buffer.len());
                }
                Ok(())
            }
            _ => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_map_reads_what_is_in_the_file_and_nothing_beyond() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        fs::write(&path, b"some bytes").unwrap();
        let map = map(&File::open(&path).unwrap()).unwrap();
        fs::remove_file(&path).unwrap();
        let mut buffer = [0; 5];
        map.read_at(&mut buffer, 5).unwrap();
        assert_eq!(&buffer, b"bytes");
        for offset in [6, 10, u64::MAX - 2, u64::MAX] {
            let error = map.read_at(&mut buffer, offset).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "at {offset}");
        }
        assert_eq!(&buffer, b"bytes");
    }
}
