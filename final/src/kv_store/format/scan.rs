use super::record::{self, Location, Record};
use super::segment::{HEADER, Segment};
use crate::Result;

/// How much of a segment is read at a time when it is read from its start.
const CHUNK: usize = 1 << 20;

/// Reads a segment's records in their order, up to `end`; of a batch, those in it once all of it was seen.
pub(crate) struct Scan<'a> {
    segment: &'a Segment,
    /// The next record's offset.
    offset: u32,
    end: u32,
    buffer: Vec<u8>,
    /// The offset of the buffer's first byte.
    start: u32,
    /// Where the last batch ends, which was seen to be whole.
    batch_end: u32,
    /// How much is read at a time.
    chunk: usize,
}

/// What a [`Scan`] found.
pub(crate) enum Found<'a> {
    /// A record, where it is and how long it is.
    Record { record: Record<'a>, location: Location, len: u32 },
    /// The end.
    End,
    /// Something that is no record.
    Invalid { offset: u32, reason: &'static str },
}

impl<'a> Scan<'a> {
    pub(crate) fn new(segment: &'a Segment, end: u32) -> Scan<'a> {
        Scan::resume(segment, (HEADER, 0), end, CHUNK)
    }

    /// Goes on at the position that another one had, and reads so much at a time.
    pub(crate) fn resume(
        segment: &'a Segment,
        (offset, batch_end): (u32, u32),
        end: u32,
        chunk: usize,
    ) -> Scan<'a> {
        Scan { segment, offset, end, buffer: Vec::new(), start: offset, batch_end, chunk }
    }

    /// Where the next record is, or what is there instead; and where the batch ends, if that is in one.
    pub(crate) fn position(&self) -> (u32, u32) {
        (self.offset, self.batch_end)
    }

    /// The next record. After anything else there is nothing more to come.
    pub(crate) fn next(&mut self) -> Result<Found<'_>> {
        while self.offset != self.end && self.offset >= self.batch_end {
            let offset = self.offset;
            self.fill(record::HEADER)?;
            let len = match record::decode_len(self.rest()) {
                Ok(len) => len,
                Err(reason) => return Ok(Found::Invalid { offset, reason }),
            };
            self.fill(len)?;
            if !record::is_batch(self.rest()) {
                break;
            }
            let location = Location { segment: self.segment.number, offset };
            if let Err(reason) = record::decode_whole(self.rest(), location) {
                return Ok(Found::Invalid { offset, reason });
            }
            self.batch_end = offset + len as u32;
            self.offset += record::HEADER as u32;
        }
        let offset = self.offset;
        if offset == self.end {
            return Ok(Found::End);
        }
        // In the buffer already, unless it is in a batch whose beginning another scan has read.
        self.fill(record::HEADER)?;
        self.fill(record::len_in_batch(self.rest()))?;
        let location = Location { segment: self.segment.number, offset };
        let rest = &self.buffer[(offset - self.start) as usize..];
        Ok(match record::decode(rest, location) {
            Ok((record, len)) => {
                self.offset += len as u32;
                Found::Record { record, location, len: len as u32 }
            }
            Err(reason) => Found::Invalid { offset, reason },
        })
    }

    /// The next record, where it is, and how long it is. None at the end.
    ///
    /// # Errors
    /// [`KvsError::Damaged`] at something that is no record.
    pub(crate) fn next_whole(&mut self) -> Result<Option<(Record<'_>, Location, u32)>> {
        let segment = self.segment;
        match self.next()? {
            Found::Record { record, location, len } => Ok(Some((record, location, len))),
            Found::End => Ok(None),
            Found::Invalid { offset, reason } => Err(segment.damaged(offset, reason)),
        }
    }

    fn rest(&self) -> &[u8] {
        &self.buffer[(self.offset - self.start) as usize..]
    }

    /// Has at least `len` bytes of the rest in the buffer, or all that there are.
    fn fill(&mut self, len: usize) -> Result<()> {
        let left = (self.end - self.offset) as usize;
        if self.rest().len() >= len.min(left) {
            return Ok(());
        }
        self.buffer.resize(len.max(self.chunk).min(left), 0);
        self.start = self.offset;
        self.segment.read_at(&mut self.buffer, self.start.into())
    }
}
