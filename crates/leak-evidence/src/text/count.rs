//! `debug=1`: profiles as text, of counts and of memory.

use super::{Line, Scanner, State, file_line, find, labels, leading_number, number, text};
use crate::error::Error;
use crate::profile::{Format, FrameId, Kind, Str};

/// A `debug=1` profile whose lines are being read.
#[derive(Debug)]
pub(super) struct Record {
    builder: usize,
    /// The sampling rate of a heap profile.
    rate: Option<u64>,
    /// What is at hand: values of the sample whose frames are being read.
    sample: Option<Vec<i64>>,
    stack: Vec<FrameId>,
    labels: Vec<(Str, Str)>,
    /// What is still to come, of the total in the first line.
    left: i64,
}

impl Record {
    /// All that the first line promised was read.
    pub(super) fn seems_whole(&self) -> bool {
        let at_hand = self.sample.as_ref().map_or(0, |values| values[0]);
        self.rate.is_none() && self.left == at_hand && !self.stack.is_empty()
    }
}

const HEAP_TYPES: [(&str, &str); 4] = [
    ("alloc_objects", "count"),
    ("alloc_space", "bytes"),
    ("inuse_objects", "count"),
    ("inuse_space", "bytes"),
];

impl Scanner<'_> {
    /// Whether a profile begins with this line.
    pub(super) fn begin_count(&mut self, line: &Line<'_>) -> Result<Option<Record>, Error> {
        let bytes = line.bytes.trim_ascii();
        let (builder, rate, left) = if let Some(rest) = bytes.strip_prefix(b"heap profile: ") {
            let rate = heap_rate(rest).ok_or_else(|| {
                Error::malformed(line.offset, "the first line of a heap profile is broken")
            })?;
            let builder = self.builder(&Kind::Heap, Format::HeapText, &HEAP_TYPES);
            self.builders[builder].profile.period = i64::try_from(rate).unwrap_or(1);
            (builder, Some(rate), 0)
        } else {
            let Some(at) = find(bytes, " profile: total ") else {
                return Ok(None);
            };
            let Some(total) = number(&bytes[at + " profile: total ".len()..]) else {
                return Ok(None);
            };
            let name = text(&bytes[..at]);
            let kind = Kind::of_count_profile(name);
            let builder = self.builder(&kind, Format::CountText, &[(name, "count")]);
            (builder, None, i64::try_from(total).unwrap_or(i64::MAX))
        };
        Ok(Some(Record {
            builder,
            rate,
            sample: None,
            stack: Vec::new(),
            labels: Vec::new(),
            left,
        }))
    }

    /// The state after a line of a profile; `None` if the line does not belong to it.
    pub(super) fn count_line(
        &mut self,
        mut record: Record,
        line: &Line<'_>,
    ) -> Result<Option<State>, Error> {
        let bytes = line.bytes.trim_ascii();
        if bytes.is_empty() {
            self.end_count(&mut record);
            return Ok(Some(State::Count(record)));
        }
        if let Some(frame) = bytes.strip_prefix(b"#\t") {
            self.count_frame(&mut record, frame);
            return Ok(Some(State::Count(record)));
        }
        if let Some(found) = bytes.strip_prefix(b"# labels: ") {
            let builder = &mut self.builders[record.builder];
            if let Some((found, _)) = labels(builder, found, self.limits.string) {
                record.labels = found;
            }
            return Ok(Some(State::Count(record)));
        }
        if bytes.first() == Some(&b'#') {
            // What follows a heap profile: `# runtime.MemStats`.
            self.end_count(&mut record);
            return Ok(Some(State::Idle));
        }
        let Some(values) = sample(bytes, record.rate) else {
            self.end_count(&mut record);
            return Ok(None);
        };
        self.end_count(&mut record);
        record.sample = Some(values);
        Ok(Some(State::Count(record)))
    }

    /// Address, `pkg.(*Pool[...]).Send+0x33` and `/abs/file.go:20`, with tabs between them.
    fn count_frame(&mut self, record: &mut Record, line: &[u8]) {
        let mut columns = line
            .split(|byte| *byte == b'\t')
            .filter(|column| !column.is_empty());
        let _address = columns.next();
        let Some(function) = columns.next() else {
            return;
        };
        if record.stack.len() >= self.limits.frames {
            return;
        }
        let function = match memchr::memmem::rfind(function, b"+0x") {
            Some(at) => &function[..at],
            None => function,
        };
        let place = columns.next().and_then(file_line);
        let max = self.limits.string;
        let frame = self.builders[record.builder].frame_of(function.trim_ascii(), place, max);
        record.stack.push(frame);
    }

    /// Adds the sample that is at hand.
    pub(super) fn end_count(&mut self, record: &mut Record) {
        if let Some(values) = record.sample.take() {
            record.left = record.left.saturating_sub(values[0]);
            self.builders[record.builder].sample(
                &record.stack,
                &record.labels,
                &values,
                self.limits.samples,
            );
        }
        record.stack.clear();
        record.labels.clear();
    }
}

/// From `3: 1024 [10: 4096] @ heap/1048576`, where twice the rate is written.
fn heap_rate(line: &[u8]) -> Option<u64> {
    let (_, rest) = heap_counts(line)?;
    let name = rest.strip_prefix(b" @ ")?;
    match name
        .strip_prefix(b"heap/")
        .or(name.strip_prefix(b"heapz_v2/"))
    {
        Some(rate) => Some((leading_number(rate)?.0 / 2).max(1)),
        None => Some(1),
    }
}

/// `in use: bytes [allocated: bytes]` at the beginning of a line, in this order, and what follows.
fn heap_counts(line: &[u8]) -> Option<([u64; 4], &[u8])> {
    let mut values = [0; 4];
    let mut rest = line;
    for (value, end) in values.iter_mut().zip([&b":"[..], b"[", b":", b"]"]) {
        let (number, after) = leading_number(rest.trim_ascii_start())?;
        *value = number;
        rest = after.trim_ascii_start().strip_prefix(end)?;
    }
    Some((values, rest))
}

/// The values of a record, which addresses follow.
fn sample(line: &[u8], rate: Option<u64>) -> Option<Vec<i64>> {
    let Some(rate) = rate else {
        let (negative, digits) = match line.strip_prefix(b"-") {
            Some(digits) => (true, digits),
            None => (false, line),
        };
        let (count, rest) = leading_number(digits)?;
        rest.strip_prefix(b" @")?;
        let count = i64::try_from(count).ok()?;
        return Some(vec![if negative { -count } else { count }]);
    };
    let ([objects, bytes, all_objects, all_bytes], rest) = heap_counts(line)?;
    rest.strip_prefix(b" @")?;
    let (in_use, in_use_bytes) = unsampled(objects, bytes, rate);
    let (allocated, allocated_bytes) = unsampled(all_objects, all_bytes, rate);
    Some(vec![allocated, allocated_bytes, in_use, in_use_bytes])
}

/// The estimate of what was there, from what was sampled every `rate` bytes: as the runtime does it for profile.proto.
fn unsampled(count: u64, size: u64, rate: u64) -> (i64, i64) {
    let plain = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    if count == 0 || size == 0 {
        return (0, 0);
    }
    if rate <= 1 {
        return (plain(count), plain(size));
    }
    let average = size as f64 / count as f64;
    let scale = 1.0 / (1.0 - (-average / rate as f64).exp());
    ((count as f64 * scale) as i64, (size as f64 * scale) as i64)
}

#[cfg(test)]
mod tests {
    use super::{heap_rate, unsampled};

    #[test]
    fn memory_is_scaled_as_the_runtime_scales_it() {
        assert_eq!(
            heap_rate(b"3: 1024 [10: 4096] @ heap/1048576"),
            Some(524_288)
        );
        // One sampled object of 1 MiB stands for a little more.
        let (objects, bytes) = unsampled(1, 1 << 20, 524_288);
        assert_eq!((objects, bytes), (1, 1_212_696));
        assert_eq!(unsampled(4, 4096, 1), (4, 4096));
        assert_eq!(unsampled(0, 0, 524_288), (0, 0));
    }
}
