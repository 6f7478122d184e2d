//! What an input is, by its content.

use std::io::{BufReader, Read};

use flate2::bufread::MultiGzDecoder;

use crate::error::{Error, ErrorKind, Limits};
use crate::input::Input;
use crate::profile::Profile;
use crate::{pprof, text};

/// So many bytes decide whether something is text.
const LOOK: usize = 1024;

/// Reads everything that is evidence in an input: one profile, or any text with dumps and reports in it, in any number.
///
/// # Errors
/// There is nothing of the kind in it, or it is damaged.
pub fn read(input: impl Read) -> Result<Vec<Profile>, Error> {
    read_with(input, &Limits::default())
}

/// As [`read`], with other limits.
///
/// # Errors
/// There is nothing of the kind in it, or it is damaged.
pub fn read_with(mut input: impl Read, limits: &Limits) -> Result<Vec<Profile>, Error> {
    let mut magic = [0; 2];
    let mut have = 0;
    while have < 2 {
        match input.read(&mut magic[have..]) {
            Ok(0) => break,
            Ok(n) => have += n,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::new(0, ErrorKind::Io(error.to_string()))),
        }
    }
    let whole = magic[..have].chain(input);
    if magic == [0x1f, 0x8b] {
        let inflated = MultiGzDecoder::new(BufReader::with_capacity(64 << 10, whole));
        read_plain(&mut Input::new(inflated, limits.inflated), limits)
    } else {
        read_plain(&mut Input::new(whole, limits.inflated), limits)
    }
}

fn read_plain(input: &mut Input<impl Read>, limits: &Limits) -> Result<Vec<Profile>, Error> {
    let head = input.peek(LOOK);
    let head = &head[..head.len().min(LOOK)];
    if head.starts_with(&[0xff, 0xfe]) || head.starts_with(&[0xfe, 0xff]) {
        return Err(Error::malformed(0, "this is UTF-16 text; save it as UTF-8"));
    }
    if head.is_empty() {
        input.finish()?;
        return Err(Error::new(0, ErrorKind::Empty));
    }
    if is_text(head) {
        text::read(input, limits)
    } else {
        Ok(vec![pprof::read(input, limits)?])
    }
}

/// The first bytes of a profile are lengths and numbers of fields, which no text has.
fn is_text(head: &[u8]) -> bool {
    head.iter()
        .all(|byte| *byte >= 0x20 && *byte != 0x7f || matches!(byte, b'\t' | b'\n' | b'\r' | 0x1b))
}
