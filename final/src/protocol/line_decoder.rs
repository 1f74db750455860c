/// Finds the lines in bytes that arrive piece by piece, without looking at a byte twice.
///
/// ```
/// use kvs_final::protocol::{Line, LineDecoder};
/// let mut lines = LineDecoder::new(100);
/// assert_eq!(lines.find(b"one\ntw"), Some(Line::Whole(b"one")));
/// assert_eq!(lines.take(), 4);
/// assert_eq!(lines.find(b"tw"), None);
/// assert_eq!(lines.find(b"two\n"), Some(Line::Whole(b"two")));
/// ```
#[derive(Debug)]
pub struct LineDecoder {
    limit: usize,
    /// So many bytes at the start have no newline.
    scanned: usize,
    /// The line that is arriving is too long; its bytes are discarded.
    discarding: bool,
    /// No line was taken yet.
    first: bool,
}

/// A line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// All of it, without its newline.
    Whole(&'a [u8]),
    /// The end of one that was longer than it may be.
    TooLong,
}

impl LineDecoder {
    /// For lines of at most `limit` bytes with their newlines.
    pub fn new(limit: usize) -> LineDecoder {
        LineDecoder { limit, scanned: 0, discarding: false, first: true }
    }

    /// The line that `bytes` starts with: what was left over the last time, and what came since. It
    /// is found again until it is taken.
    pub fn find<'a>(&mut self, bytes: &'a [u8]) -> Option<Line<'a>> {
        let unknown = bytes.get(self.scanned..)?;
        let Some(length) = memchr::memchr(b'\n', unknown) else {
            self.scanned = bytes.len();
            return None;
        };
        self.scanned += length;
        let too_long = self.discarding || self.scanned >= self.limit;
        Some(if too_long { Line::TooLong } else { Line::Whole(&bytes[..self.scanned]) })
    }

    /// Takes the line that was found. Returns its length in bytes, newline included.
    pub fn take(&mut self) -> usize {
        (self.discarding, self.first) = (false, false);
        std::mem::take(&mut self.scanned) + 1
    }

    /// How many bytes need not be kept after [`LineDecoder::find`] has found nothing more: all, if
    /// they are part of a line that is too long.
    pub fn discard_too_long(&mut self) -> usize {
        self.discarding |= self.scanned >= self.limit;
        if self.discarding { std::mem::take(&mut self.scanned) } else { 0 }
    }

    /// Whether no line was taken yet.
    pub fn is_first(&self) -> bool {
        self.first
    }

    /// Whether the bytes of a line that is too long are being discarded.
    pub fn is_discarding(&self) -> bool {
        self.discarding
    }
}
